/**
 * What transitions and requests see: the overlay over the store. Keys at and above `RESERVED_KEYS` are the ledger's own;
 * views never see them and must not name them.
 */
import {
  assert,
  FsError,
  getU32LE,
  getU64LE,
  type Key,
  putU32LE,
  putU64LE,
  STATE_KEY_BYTES_MAX,
  type StateStore,
} from '@cairnfs/base';
import type { ChainPoint } from './journal-recovery.ts';
import { mergeRange, type Overlay } from './overlay.ts';
import { WHAT_TO_DO } from './record-format.ts';
import type { Sequence, StateTransaction, StateView } from './types.ts';

export const RESERVED_KEYS: Key = '\xff\xff';
const APPLIED_KEY: Key = `${RESERVED_KEYS}applied`;
const APPLIED_VERSION = 1;
const APPLIED_BYTES = 16;

export class OverlayView implements StateView {
  protected readonly overlay: Overlay;
  readonly #store: StateStore;
  #readSequence: Sequence = 0;
  readonly #seen = (sequence: Sequence): void => {
    if (sequence > this.#readSequence) this.#readSequence = sequence;
  };

  constructor(overlay: Overlay, store: StateStore) {
    this.overlay = overlay;
    this.#store = store;
  }

  get readSequence(): Sequence {
    return this.#readSequence;
  }

  get(key: Key): Uint8Array | undefined {
    checkKey(key);
    const entry = this.overlay.get(key);
    if (entry === undefined) return this.#store.get(key);
    this.#seen(entry.sequence);
    return entry.value;
  }

  /** @see StateStore.load */
  load(key: Key): Uint8Array | undefined | Promise<Uint8Array | undefined> {
    checkKey(key);
    const entry = this.overlay.get(key);
    return entry === undefined ? this.#store.load(key) : entry.value;
  }

  range(start: Key, end: Key, limit: number): { key: Key; value: Uint8Array }[] {
    const ownEnd = end < RESERVED_KEYS ? end : RESERVED_KEYS;
    return mergeRange({ overlay: this.overlay, store: this.#store }, { start, end: ownEnd, limit }, this.#seen);
  }
}

/** The one view that writes; the ledger sets `sequence` before each record. */
export class OverlayTransaction extends OverlayView implements StateTransaction {
  sequence: Sequence = 0;

  put(key: Key, value: Uint8Array): void {
    checkKey(key);
    this.overlay.set(key, value, this.sequence);
  }

  remove(key: Key): void {
    checkKey(key);
    this.overlay.set(key, undefined, this.sequence);
  }
}

/** The change that says how far the store has come; part of every transaction of folding. */
export function appliedChange({ sequence, checksum }: ChainPoint): { key: Key; value: Uint8Array } {
  const value = new Uint8Array(APPLIED_BYTES);
  putU32LE(value, 0, APPLIED_VERSION);
  putU32LE(value, 4, checksum);
  putU64LE(value, 8, sequence);
  return { key: APPLIED_KEY, value };
}

/** How far the store has come: record 0 in a new one. */
export function readApplied(store: StateStore, directory: string): ChainPoint {
  const value = store.get(APPLIED_KEY);
  if (value === undefined) return { sequence: 0, checksum: 0 };
  if (value.length !== APPLIED_BYTES || getU32LE(value, 0) !== APPLIED_VERSION) {
    const message = `The state in ${directory} does not say in a known form which record it holds last. ${WHAT_TO_DO}`;
    throw new FsError('DAMAGED', message, { details: { path: directory } });
  }
  return { sequence: getU64LE(value, 8), checksum: getU32LE(value, 4) };
}

function checkKey(key: Key): void {
  const isSound = key.length > 0 && key.length <= STATE_KEY_BYTES_MAX && key < RESERVED_KEYS;
  assert(isSound, () => `a key of ${key.length} bytes, ${JSON.stringify(key.slice(0, 40))}, is not one of the state's`);
}
