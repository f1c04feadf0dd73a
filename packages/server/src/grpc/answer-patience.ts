/**
 * Whether the peer takes the answer, or the item of one, that a call handed to the transport: the measure is that of the
 * framed protocol, where what is taken shows in steps of one to two MiB (`AnswersSent`).
 */
import type { Clock, Timer } from '@cairnfs/base';
import { ANSWERS_LOOKED_AT_MS, ANSWERS_TAKEN_BYTES_MIN, type AnswerShare, UntakenLooks } from '@cairnfs/protocol';

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
  /** Since then. */
  readonly #looks = new UntakenLooks();

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
    this.#looks.begin(this.#options.share.isRoomShort);
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
    const hasTaken = sent >= ANSWERS_TAKEN_BYTES_MIN;
    if (hasTaken) this.#seenBytes += sent;
    // Looked at again even then: until the end of the connection is known, its answers hold their memory.
    this.#lookLater();
    if (!this.#looks.look(hasTaken, share.isRoomShort)) return;
    drop(`the peer took ${sent} bytes of its answers in ${this.#looks.untakenMs / 1000} s`);
  };
}
