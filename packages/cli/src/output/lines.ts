/** Lines gathered before they are written: a system call for each would take longer than finding what they tell. */

const LINES_GATHERED_MAX = 1000;
/** What was found is shown this soon, also while the search goes on without finding more than a few. */
const SHOWN_AFTER_MS = 100;

export class Lines {
  readonly #write: (text: string) => Promise<void>;
  #gathered: string[] = [];
  #writtenAtMs = 0;

  constructor(write: (text: string) => Promise<void>) {
    this.#write = write;
  }

  /** To be called for each object looked at: with its line, or with nothing when it has none. */
  async add(line?: string): Promise<void> {
    if (line !== undefined) this.#gathered.push(line);
    const isDue = this.#gathered.length > 0 && performance.now() - this.#writtenAtMs > SHOWN_AFTER_MS;
    if (isDue || this.#gathered.length >= LINES_GATHERED_MAX) await this.flush();
  }

  async flush(): Promise<void> {
    if (this.#gathered.length === 0) return;
    const text = `${this.#gathered.join('\n')}\n`;
    this.#gathered = [];
    this.#writtenAtMs = performance.now();
    await this.#write(text);
  }
}
