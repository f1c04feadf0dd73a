/** What one call has taken, or waits for, in the room for answers, whichever transport brought it. */
import type { FsError } from '@cairnfs/base';
import type { AnswerShare } from './answer-room.ts';

export class CallRoom {
  readonly #share: AnswerShare;
  #bytes = 0;
  #waiting: { cancel(): void; reject(reason: FsError): void } | undefined;

  constructor(share: AnswerShare) {
    this.#share = share;
  }

  get isWaiting(): boolean {
    return this.#waiting !== undefined;
  }

  /** As `CallContext.room`. */
  take(bytes: number): Promise<void> | undefined {
    let resolve = (): void => {};
    const waiting = this.#share.reserve(bytes, () => {
      this.#waiting = undefined;
      this.#bytes += bytes;
      resolve();
    });
    if (waiting === undefined) {
      this.#bytes += bytes;
      return undefined;
    }
    return new Promise((granted, reject) => {
      resolve = granted;
      this.#waiting = { cancel: waiting.cancel, reject };
    });
  }

  /** The call is over for its caller: what waits is told why. */
  abort(reason: FsError): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.cancel();
    waiting?.reject(reason);
  }

  /** What was taken becomes the caller's to release. */
  handOver(): number {
    const bytes = this.#bytes;
    this.#bytes = 0;
    return bytes;
  }

  release(): void {
    const bytes = this.handOver();
    if (bytes > 0) this.#share.release(bytes);
  }
}
