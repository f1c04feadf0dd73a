/** Work of which a bounded number is under way at once, and which is over only when all of it is. */
export class Flight {
  readonly #max: number;
  readonly #running = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;

  constructor(max: number) {
    this.#max = max;
  }

  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  /** Takes work that has begun; resolves when there is room for more. */
  async add(work: Promise<unknown>): Promise<void> {
    const running = work.then(
      () => {
        this.#running.delete(running);
      },
      (error: unknown) => {
        this.#running.delete(running);
        this.#failure ??= { error };
      },
    );
    this.#running.add(running);
    while (this.#running.size >= this.#max) await Promise.race(this.#running);
  }

  /** @throws what the first that failed has failed with, once nothing is under way any more. */
  async end(): Promise<void> {
    await Promise.all(this.#running);
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
