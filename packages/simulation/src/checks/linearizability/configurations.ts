/** The set of operations taken, as bits, and a memo of the (set, state) in which the search has been. */

export class Configurations {
  readonly #bits: Uint32Array;
  readonly #memo = new Map<number | string, Map<number, Uint32Array[]>>();
  /** Of the bits, kept up to date with each change (Zobrist 1970). */
  #low = 0;
  #high = 0;

  constructor(operations: number) {
    this.#bits = new Uint32Array((operations + 31) >>> 5);
  }

  has(operation: number): boolean {
    return ((this.#bits[operation >>> 5]! >>> (operation & 31)) & 1) === 1;
  }

  flip(operation: number): void {
    this.#bits[operation >>> 5]! ^= 1 << (operation & 31);
    this.#low ^= mix(2 * operation + 1);
    this.#high ^= mix(2 * operation + 2);
  }

  /** Notes that the search is at this set and state; false when it has been. */
  add(stateKey: number | string): boolean {
    const ofState = this.#memo.get(stateKey) ?? new Map<number, Uint32Array[]>();
    this.#memo.set(stateKey, ofState);
    const hash = (this.#high & 0x1fffff) * 0x100000000 + (this.#low >>> 0);
    const sets = ofState.get(hash);
    if (sets === undefined) {
      ofState.set(hash, [this.#bits.slice()]);
      return true;
    }
    if (sets.some((bits) => bits.every((word, index) => word === this.#bits[index]))) return false;
    sets.push(this.#bits.slice());
    return true;
  }
}

/** Spreads a small number over 32 bits (finalizer of MurmurHash3). */
function mix(value: number): number {
  let bits = Math.imul(value, 0x9e3779b1);
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return bits ^ (bits >>> 16);
}
