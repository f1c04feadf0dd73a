/**
 * What the answers on one connection hold in memory, from the room taken for them until they have left, and whether the
 * peer takes them. Answers that took no room are counted when they are sent, those that leave together as one.
 */
import type { Clock } from '@cairnfs/base';
import { ANSWERS_LOOKED_AT_MS } from '../limits.ts';
import type { AnswerRoom, AnswerShare } from './answer-room.ts';
import type { FrameWriter } from './frame-writer.ts';
import { UntakenLooks } from './untaken-looks.ts';

export class AnswersSent {
  readonly share: AnswerShare;
  readonly #clock: Clock;
  readonly #writer: FrameWriter;
  /** Of the frames of this tick that took no room. */
  #loose = { bytes: 0, flush: -1 };
  /** Set while something is unsent: how much the peer had taken when it was last looked, and when to look again. */
  #looking: { readonly takenBytes: number; readonly atMs: number } | undefined;
  readonly #looks = new UntakenLooks();

  constructor(clock: Clock, writer: FrameWriter, room: AnswerRoom) {
    this.#clock = clock;
    this.#writer = writer;
    this.share = room.share();
  }

  /**
   * Counts the frame that is written next.
   *
   * @param roomBytes what was taken for it before.
   * @returns whether it has to be looked from now on if the peer takes it (`lookAtMs`).
   */
  count(bytes: number, roomBytes: number): boolean {
    if (this.#writer.hasEnded) {
      if (roomBytes > 0) this.share.release(roomBytes);
      return false;
    }
    if (roomBytes > 0) this.#countOwn(Math.max(bytes, roomBytes), roomBytes);
    else this.#countLoose(bytes);
    if (this.#looking !== undefined) return false;
    const atMs = this.#clock.nowMs() + ANSWERS_LOOKED_AT_MS;
    this.#looking = { takenBytes: this.#writer.takenBytes, atMs };
    this.#looks.begin(this.share.isRoomShort);
    return true;
  }

  /** When it has to be looked again if the peer takes what is unsent. */
  get lookAtMs(): number {
    return this.#looking === undefined ? Number.POSITIVE_INFINITY : this.#looking.atMs;
  }

  /** Looks whether the peer takes what is unsent; says so when it has not for too long. */
  faultOfPeer(nowMs: number): string | undefined {
    if (nowMs < this.lookAtMs) return undefined;
    const { takenBytes, unsentBytes } = this.#writer;
    const looked = this.#looking!;
    this.#looking = undefined;
    if (unsentBytes === 0) return undefined;
    if (this.#looks.look(takenBytes !== looked.takenBytes, this.share.isRoomShort)) {
      return `the peer took none of ${unsentBytes} bytes of answers for ${this.#looks.untakenMs / 1000} s`;
    }
    this.#looking = { takenBytes, atMs: nowMs + ANSWERS_LOOKED_AT_MS };
    return undefined;
  }

  #countOwn(memoryBytes: number, roomBytes: number): void {
    if (memoryBytes > roomBytes) this.share.take(memoryBytes - roomBytes);
    this.#writer.whenSent(() => this.share.release(memoryBytes));
  }

  #countLoose(bytes: number): void {
    const { flushCount } = this.#writer;
    if (this.#loose.flush !== flushCount) {
      const loose = { bytes: 0, flush: flushCount };
      this.#loose = loose;
      this.#writer.whenSent(() => this.share.release(loose.bytes));
    }
    this.#loose.bytes += bytes;
    this.share.take(bytes);
  }
}
