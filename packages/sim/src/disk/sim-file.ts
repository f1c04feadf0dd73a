/**
 * The content of one simulated file: what programs see (written), and how to get back to what is on stable storage
 * (synced). The way back is an undo log, so that a file written and synced costs its size once. Appended bytes need no
 * old content and cost nothing.
 */
import { assert } from '@cairnfs/base';
import type { Memory } from '../memory.ts';
import type { SimRandom } from '../random.ts';
import { SparseBytes } from './sparse-bytes.ts';

/**
 * What a crash does to writes that were never synced: all gone, all there, each on its own gone, there or torn, or all of
 * them torn: some of their sectors reached the disk.
 */
export type UnsyncedFate = 'lose' | 'keep' | 'random' | 'torn';

/** A disk writes sectors whole; a write of several may end after any of them. */
export const SECTOR_BYTES = 512;

interface Change {
  /** Size of the file before. */
  readonly oldSizeBytes: number;
  readonly newSizeBytes: number;
  /** Where old content was lost; undefined when that was zeros. */
  readonly position: number;
  readonly oldBytes: Uint8Array | undefined;
  /** How much was written, or cut off. */
  readonly length: number;
  readonly isTruncation: boolean;
}

export class SimFile {
  readonly #content: SparseBytes;
  #sizeBytes = 0;
  #unsynced: Change[] = [];
  /** Changes ever made, so that a sync can name how far it reaches. */
  #changeCount = 0;
  #syncBroken = false;
  modifiedWallMs = 0;

  constructor(memory: Memory) {
    this.#content = new SparseBytes(memory);
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Passed to `syncedThrough` later: all changes made until now. */
  get changeCount(): number {
    return this.#changeCount;
  }

  get unsyncedCount(): number {
    return this.#unsynced.length;
  }

  read(position: number, target: Uint8Array): number {
    const end = Math.min(this.#sizeBytes, position + target.length);
    if (end <= position) return 0;
    this.#content.read(position, target.subarray(0, end - position));
    return end - position;
  }

  /** One change: the buffers one after another, `length` bytes in all. */
  write(position: number, buffers: readonly Uint8Array[], length: number): void {
    const newSizeBytes = Math.max(this.#sizeBytes, position + length);
    this.#remember(position, length, newSizeBytes, false);
    this.#resize(newSizeBytes);
    let at = position;
    for (const bytes of buffers) {
      this.#content.write(at, bytes);
      at += bytes.length;
    }
  }

  truncate(sizeBytes: number): void {
    const position = Math.min(sizeBytes, this.#sizeBytes);
    this.#remember(position, this.#sizeBytes - position, sizeBytes, true);
    this.#resize(sizeBytes);
  }

  /** The changes up to `changeCount` are on stable storage. */
  syncedThrough(changeCount: number): void {
    if (this.#syncBroken) return;
    const stayCount = Math.min(this.#unsynced.length, this.#changeCount - changeCount);
    this.#unsynced = this.#unsynced.slice(this.#unsynced.length - stayCount);
  }

  /**
   * A sync failed. As on Linux, the pages count as clean afterwards though they never reached the disk: later syncs
   * succeed and save nothing, so whoever retries a failed sync and acknowledges loses data here.
   */
  breakSync(): void {
    this.#syncBroken = true;
  }

  /** Decay of the medium: the content changes without a write. */
  flipBit(bitIndex: number): void {
    const index = Math.floor(bitIndex / 8);
    assert(index < this.#sizeBytes, () => `bit ${bitIndex} lies beyond the file's ${this.#sizeBytes} bytes`);
    const byte = new Uint8Array(1);
    this.#content.read(index, byte);
    byte[0] = byte[0]! ^ (1 << (bitIndex % 8));
    this.#content.write(index, byte);
  }

  crash(fate: UnsyncedFate, random: SimRandom): void {
    if (fate === 'keep' && !this.#syncBroken) return; // the kernel holds them; a later loss of power may still take them
    const changes = this.#unsynced;
    this.#unsynced = [];
    this.#syncBroken = false;
    if (fate === 'keep') return;
    const redone: { change: Change; bytes: Uint8Array }[] = [];
    for (const change of changes.toReversed()) {
      const end = Math.min(change.position + change.length, change.newSizeBytes);
      if (fate !== 'lose') {
        const bytes = new Uint8Array(end - change.position);
        this.#content.read(change.position, bytes);
        redone.push({ change, bytes });
      }
      this.#resize(change.oldSizeBytes);
      const oldEnd = Math.min(change.oldSizeBytes, change.position + change.length);
      if (change.oldBytes !== undefined) this.#content.write(change.position, change.oldBytes);
      else if (oldEnd > change.position) this.#content.clear(change.position, oldEnd);
    }
    for (const { change, bytes } of redone.reverse())
      this.#redoInPart(change, bytes, { random, isTorn: fate === 'torn' });
  }

  /** Each change reached the disk whole, not at all, or some of its sectors did. */
  #redoInPart(change: Change, bytes: Uint8Array, { random, isTorn }: { random: SimRandom; isTorn: boolean }): void {
    const outcome = isTorn ? 2 : random.between(0, 2);
    if (outcome === 0) return;
    // An earlier change may not be there, so a write reaches its own end at least but cuts nothing off.
    const endBytes = change.position + bytes.length;
    this.#resize(change.isTruncation ? change.newSizeBytes : Math.max(this.#sizeBytes, endBytes));
    let offset = 0;
    while (offset < bytes.length) {
      const sectorEnd = SECTOR_BYTES - ((change.position + offset) % SECTOR_BYTES);
      const length = Math.min(sectorEnd, bytes.length - offset);
      // A size that reached the disk without the data leaves zeros.
      if (outcome === 1 || random.chance(0.5)) {
        this.#content.write(change.position + offset, bytes.subarray(offset, offset + length));
      }
      offset += length;
    }
  }

  #remember(position: number, length: number, newSizeBytes: number, isTruncation: boolean): void {
    const oldSizeBytes = this.#sizeBytes;
    const oldEnd = Math.min(oldSizeBytes, position + length);
    let oldBytes: Uint8Array | undefined;
    if (oldEnd > position && this.#content.hasContent(position, oldEnd)) {
      oldBytes = new Uint8Array(oldEnd - position);
      this.#content.read(position, oldBytes);
    }
    this.#unsynced.push({ oldSizeBytes, newSizeBytes, position, oldBytes, length, isTruncation });
    this.#changeCount += 1;
  }

  /** Bytes beyond the size are always zero, so that growing leaves holes of zeros. */
  #resize(sizeBytes: number): void {
    if (sizeBytes < this.#sizeBytes) this.#content.clear(sizeBytes, this.#sizeBytes);
    this.#sizeBytes = sizeBytes;
  }
}
