/**
 * Memory for the answers of all connections of one server, from before they are made until they have left. Each connection
 * has a share of it; who answers with much asks for room first, and waits while there is none.
 *
 * A share takes no more than `shareBytesMax`, and no more than is free besides: peers that are slow to take their answers
 * leave room for the others, whatever their number (the dynamic thresholds of shared packet buffers, Choudhury and Hahne
 * 1998). Those that wait come in turn, one answer each, and what comes free is kept for a first in line that holds nothing.
 *
 * No circle of servers waits for each other here. Who waits for room holds none, and who holds some asks no other server for
 * what needs room there (a commit point, the length of a chunk need none). Answers leave when the peer takes them, and a peer takes them always: what another server asked for, its client half reads without any bound of its own. A peer
 * that takes none is cut off (`ServerConnection`).
 */
import { assert } from '@cairnfs/base';

interface Waiting {
  readonly bytes: number;
  /** Must release nothing itself. */
  readonly granted: () => void;
}

export interface AnswerRoomLimits {
  readonly bytesMax: number;
  readonly shareBytesMax: number;
}

export class AnswerRoom {
  readonly limits: AnswerRoomLimits;
  /** Shares in which somebody waits. */
  readonly #waiting = new Set<AnswerShare>();
  #heldBytes = 0;
  /** The first that waits holds nothing: what comes free is kept for it. */
  #isShort = false;
  #isGranting = false;

  constructor(limits: AnswerRoomLimits) {
    this.limits = limits;
  }

  share(): AnswerShare {
    return new AnswerShare(this);
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Somebody waits for what others hold. */
  get isShort(): boolean {
    return this.#isShort;
  }

  /** All is taken, by answers that asked or by those that need not. */
  get isFull(): boolean {
    return this.#isShort || this.#heldBytes >= this.limits.bytesMax;
  }

  // ---- For shares ----

  fits(share: AnswerShare, bytes: number): boolean {
    if (this.#heldBytes === 0) return true; // alone it fits whatever its size
    const free = this.limits.bytesMax - this.#heldBytes;
    if (share.heldBytes === 0) return bytes <= free;
    return share.heldBytes + bytes <= Math.min(this.limits.shareBytesMax, free);
  }

  mayTake(share: AnswerShare, bytes: number): boolean {
    return !this.#isShort && this.fits(share, bytes);
  }

  count(bytes: number): void {
    this.#heldBytes += bytes;
    assert(this.#heldBytes >= 0, () => `${-this.#heldBytes} bytes more of answers were released than taken`);
  }

  waits(share: AnswerShare): void {
    this.#waiting.add(share);
    if (share.heldBytes === 0) this.#isShort = true;
  }

  /** Goes round the shares, one answer each, until none fits any more. */
  grant(): void {
    assert(!this.#isGranting, 'room for answers was released by whom it was just granted to');
    if (this.#waiting.size === 0) return;
    this.#isGranting = true;
    this.#isShort = false;
    for (const share of this.#waiting) {
      if (share.isIdle) {
        this.#waiting.delete(share);
      } else if (share.grantFirst()) {
        this.#waiting.delete(share);
        if (!share.isIdle) this.#waiting.add(share); // behind the others
      } else if (share.heldBytes === 0) {
        this.#isShort = true;
        break;
      }
    }
    this.#isGranting = false;
  }
}

/** What the answers of one connection hold. */
export class AnswerShare {
  readonly #room: AnswerRoom;
  readonly #waiting = new Set<Waiting>();
  #heldBytes = 0;

  constructor(room: AnswerRoom) {
    this.#room = room;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Somebody waits for what this share or others hold. */
  get isRoomShort(): boolean {
    return this.#room.isShort;
  }

  /** Nobody waits in it. */
  get isIdle(): boolean {
    return this.#waiting.size === 0;
  }

  /** Counts what is here already. */
  take(bytes: number): void {
    this.#heldBytes += bytes;
    this.#room.count(bytes);
  }

  /**
   * Takes `bytes` when there is room and nobody else waits for it.
   *
   * @param granted otherwise runs once they are taken, unless the returned wait is cancelled before.
   */
  reserve(bytes: number, granted: () => void): { cancel(): void } | undefined {
    if (this.isIdle && this.#room.mayTake(this, bytes)) {
      this.take(bytes);
      return undefined;
    }
    const waiting: Waiting = { bytes, granted };
    this.#waiting.add(waiting);
    this.#room.waits(this);
    return {
      cancel: () => {
        if (this.#waiting.delete(waiting)) this.#room.grant();
      },
    };
  }

  release(bytes: number): void {
    this.#heldBytes -= bytes;
    assert(this.#heldBytes >= 0, () => `${-this.#heldBytes} bytes more of a connection's answers were released`);
    this.#room.count(-bytes);
    this.#room.grant();
  }

  /** @returns whether the first that waits had room. */
  grantFirst(): boolean {
    const [first] = this.#waiting;
    if (first === undefined || !this.#room.fits(this, first.bytes)) return false;
    this.#waiting.delete(first);
    this.take(first.bytes);
    first.granted();
    return true;
  }
}
