/**
 * How often a peer was seen not to take the answers of its connection, framed or over gRPC. Looks count, not the time: a
 * halt of this process is no fault of the peer's. While others wait for the memory that its answers hold, a peer is not
 * waited for as long, but as long from then on: what it took its time for before was nobody's.
 */
import { ANSWERS_LOOKED_AT_MS, ANSWERS_UNTAKEN_LOOKS_SHORT, ANSWERS_UNTAKEN_MS_MAX } from '../limits.ts';

const LOOKS_MAX = ANSWERS_UNTAKEN_MS_MAX / ANSWERS_LOOKED_AT_MS;

export class UntakenLooks {
  #looks = 0;
  /** Of these the last ones, at which others had waited since the look before. */
  #shortLooks = 0;
  /** Others waited at the last look. */
  #wasShort = false;

  /** Something is with the transport from now on. */
  begin(isShort: boolean): void {
    this.#looks = 0;
    this.#shortLooks = 0;
    this.#wasShort = isShort;
  }

  /**
   * Looks are `ANSWERS_LOOKED_AT_MS` apart.
   *
   * @param hasTaken the peer took enough since it was last seen to.
   * @param isShort others wait for memory.
   * @returns whether the peer has been waited for long enough.
   */
  look(hasTaken: boolean, isShort: boolean): boolean {
    this.#looks = hasTaken ? 0 : this.#looks + 1;
    this.#shortLooks = hasTaken || !isShort || !this.#wasShort ? 0 : this.#shortLooks + 1;
    this.#wasShort = isShort;
    return this.#looks >= LOOKS_MAX || this.#shortLooks >= ANSWERS_UNTAKEN_LOOKS_SHORT;
  }

  /** For which the peer has not taken enough, of the time that was looked at. */
  get untakenMs(): number {
    return this.#looks * ANSWERS_LOOKED_AT_MS;
  }
}
