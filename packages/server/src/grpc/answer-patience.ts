/**
 * Whether the peer takes the answer, or the item of one, that a call handed to the transport: the measure is that of the
 * framed protocol, where what is taken shows in steps of 2 MiB (`AnswersSent`).
 */
import type { Clock, Timer } from '@cairnfs/base';
import { ANSWERS_LOOKED_AT_MS, ANSWERS_TAKEN_BYTES_MIN, type AnswerShare } from '@cairnfs/protocol';

export interface AnswerPatienceOptions {
  readonly clock: Clock;
  /** Of the call's connection, in the room for answers. */
  readonly share: AnswerShare;
  /** That the connection has sent: the answers of other calls may come first, so it need not be this one's. */
  readonly sentBytes: () => number;
  /** Ends the connection. */
  readonly drop: (reason: string) => void;
}

export class AnswerPatience {
  readonly #options: AnswerPatienceOptions;
  #timer: Timer | undefined;
  /** That the connection had sent when it was last seen to have sent enough. */
  #seenBytes = 0;
  /** Since then. Looks count, not the time: a halt of this process is no fault of the peer's. */
  #looks = 0;

  constructor(options: AnswerPatienceOptions) {
    this.#options = options;
  }

  /** Something is with the transport and was not taken yet. */
  get isWaiting(): boolean {
    return this.#timer !== undefined;
  }

  begin(): void {
    this.end();
    this.#seenBytes = this.#options.sentBytes();
    this.#looks = 0;
    this.#lookLater();
  }

  end(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #lookLater(): void {
    this.#timer = this.#options.clock.after(ANSWERS_LOOKED_AT_MS, this.#look);
  }

  readonly #look = (): void => {
    const { share, sentBytes, drop } = this.#options;
    const sent = sentBytes() - this.#seenBytes;
    if (sent >= ANSWERS_TAKEN_BYTES_MIN) {
      this.#seenBytes += sent;
      this.#looks = 0;
    } else {
      this.#looks += 1;
    }
    // Looked at again even then: until the end of the connection is known, its answers hold their memory.
    this.#lookLater();
    if (this.#looks < share.untakenLooksMax) return;
    drop(`the peer took ${sent} bytes of its answers in ${(this.#looks * ANSWERS_LOOKED_AT_MS) / 1000} s`);
  };
}
