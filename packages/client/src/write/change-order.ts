/**
 * In which order the changes of one open file are sent. What was called first is applied first wherever it matters: a write
 * waits for earlier ones that overlap it, cutting the file waits for everything and everything waits for it. The rest goes
 * at once.
 */
import { unlessAborted } from '../call/unless-aborted.ts';

export type Span =
  | { readonly kind: 'write'; readonly start: number; readonly end: number }
  | { readonly kind: 'append' }
  | { readonly kind: 'cut' };

interface Running {
  readonly span: Span;
  readonly ended: Promise<void>;
}

export class ChangeOrder {
  readonly #running = new Set<Running>();

  /**
   * Runs `work` when every earlier change that it must not overtake has ended, however it ended.
   *
   * @throws the signal's reason when it aborts before that.
   */
  async run<T>(span: Span, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    const earlier: Promise<void>[] = [];
    for (const other of this.#running) if (mustFollow(span, other.span)) earlier.push(other.ended);
    let end = () => {};
    const running = { span, ended: new Promise<void>((resolve) => (end = resolve)) };
    this.#running.add(running);
    try {
      if (earlier.length > 0) await unlessAborted(Promise.all(earlier), signal);
      return await work();
    } finally {
      this.#running.delete(running);
      // One that gave up waiting has not begun, so those behind it still wait for those before it.
      void Promise.all(earlier).then(end);
    }
  }

  /** Resolves when all that runs now has ended. */
  async idle(): Promise<void> {
    await Promise.all([...this.#running].map(({ ended }) => ended));
  }
}

function mustFollow(span: Span, earlier: Span): boolean {
  if (span.kind === 'cut' || earlier.kind === 'cut') return true;
  return span.kind === 'write' && earlier.kind === 'write' && span.start < earlier.end && earlier.start < span.end;
}
