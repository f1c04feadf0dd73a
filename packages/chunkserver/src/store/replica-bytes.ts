/**
 * The committed bytes of a replica: blocks from the chunk file or the index, checked against their checksums, with the
 * committed mutations that are not in place yet laid over them.
 *
 * A block in the chunk file may be half rewritten while mutations are put in place. Its checksum speaks of every mutation
 * up to `summedSequence`, and those are still at hand, so they are laid over the block before it is checked; later ones
 * after. When anything of that changed during the read, a mismatch means nothing and the block is read again.
 */
import { crc32c, crc32cCombine, DiskError, FsError, isFsError } from '@cairnfs/base';
import { BLOCK_BYTES, type BufferPool, FRAME_DATA_BYTES_MAX, PooledBytes } from '@cairnfs/protocol';
import type { Replica, Unsettled } from './replica.ts';
import { copyData, loadData } from './stored-replica.ts';

const READ_TRIES_MAX = 100;

/** Bytes from the beginning of a block. */
export interface BlocksRead {
  readonly memory: PooledBytes;
  /** In the chunk, of the first byte of `memory`. */
  readonly start: number;
  /** Checksums of the blocks when nothing was laid over them after the check; of `end` bytes. */
  readonly checksums: readonly number[] | undefined;
  /** In the chunk: where the checksums end. */
  readonly summedEnd: number;
}

export interface BlockRange {
  readonly offset: number;
  readonly end: number;
  /** Lay no later mutations over the blocks; not below `summedSequence`. */
  readonly through?: number;
}

/** A block that is not what was written; the caller records and reports it. */
export class CorruptBlockError extends FsError {
  readonly block: number;
  constructor(handle: string, block: number) {
    super('CHECKSUM_MISMATCH', `block ${block} of chunk ${handle} does not match its checksum; read another copy`, {
      details: { block },
    });
    this.block = block;
  }
}

/**
 * Reads the blocks that hold bytes `offset` up to `end` of the chunk, at most the committed length. The caller releases
 * `memory`.
 *
 * @throws CorruptBlockError; FsError DISK_FAILED
 */
export async function readBlocks(
  replica: Replica,
  { offset, end, through = Number.MAX_SAFE_INTEGER }: BlockRange,
  pool: Pick<BufferPool, 'take'>,
): Promise<BlocksRead> {
  const start = offset - (offset % BLOCK_BYTES);
  let memory: PooledBytes | undefined;
  try {
    for (let tries = 1; ; tries += 1) {
      const { generation, summedLength, summedSequence } = replica;
      const size = bytesToRead(replica, start, end);
      if (memory === undefined || memory.bytes.length < size) {
        memory?.release();
        memory = undefined;
        memory = size <= FRAME_DATA_BYTES_MAX ? pool.take(size) : new PooledBytes(Buffer.allocUnsafe(size));
      }
      const target = memory.bytes.subarray(0, size);
      const checksums = checksumsOf(replica, start / BLOCK_BYTES, Math.ceil((start + size) / BLOCK_BYTES));
      const unsettled = replica.unsettled.filter((mutation) => {
        return mutation.sequence <= through && touches(mutation, start, start + size);
      });
      const filled = await readInto(replica, start, target);
      target.fill(0, filled);
      const later = unsettled.filter(({ sequence }) => sequence > summedSequence);
      for (const mutation of unsettled) if (mutation.sequence <= summedSequence) layOver(target, start, mutation);
      const corrupt = mismatch(target, { start, summedLength, checksums });
      if (corrupt === undefined) {
        for (const mutation of later) layOver(target, start, mutation);
        const summedEnd = Math.min(summedLength, start + size);
        return { memory, start, checksums: later.length === 0 ? checksums : undefined, summedEnd };
      }
      if (generation === replica.generation || tries === READ_TRIES_MAX) {
        throw new CorruptBlockError(replica.handle, corrupt);
      }
    }
  } catch (error) {
    memory?.release();
    throw error;
  }
}

/**
 * Whole blocks of a file; of the index, whose values are small, no more than is asked for or checked: a read of 4 KiB
 * would otherwise allocate and clear 64.
 */
function bytesToRead({ isInFile, summedLength }: Replica, start: number, end: number): number {
  const blocksEnd = Math.ceil(end / BLOCK_BYTES) * BLOCK_BYTES;
  return (isInFile ? blocksEnd : Math.min(blocksEnd, Math.max(end, summedLength))) - start;
}

/** CRC32C of `offset` up to `end`: combined from those of the blocks where they say it, so that no byte is summed twice. */
export function sliceChecksum(read: BlocksRead, offset: number, end: number): number {
  const { checksums, start, summedEnd, memory } = read;
  const isWhole = offset === start && (end % BLOCK_BYTES === 0 || end === summedEnd) && end <= summedEnd;
  if (checksums === undefined || !isWhole) return crc32c(memory.bytes.subarray(offset - start, end - start));
  let sum = 0;
  for (let at = start, index = 0; at < end; at += BLOCK_BYTES, index += 1) {
    sum = index === 0 ? checksums[0]! : crc32cCombine(sum, checksums[index]!, Math.min(BLOCK_BYTES, end - at));
  }
  return sum;
}

/** Of all blocks up to `length`, as they are kept. @throws CorruptBlockError  they cannot be read. */
export function blockChecksumsOf(replica: Replica, length: number): number[] {
  return [...checksumsOf(replica, 0, Math.ceil(length / BLOCK_BYTES))];
}

function checksumsOf(replica: Replica, first: number, end: number): readonly number[] {
  try {
    return replica.checksums.slice(first, end);
  } catch (error) {
    if (isFsError(error, 'DAMAGED')) throw new CorruptBlockError(replica.handle, first);
    throw error;
  }
}

/** What lies in place now, unchecked. @returns how much was there. */
async function readInto(replica: Replica, start: number, target: Uint8Array): Promise<number> {
  const { store, handle } = replica;
  store.checkHealthy();
  if (replica.isInFile) {
    try {
      return await store.files.use(store.chunkPath(handle), 'readWrite', (file) => {
        const isNew = target.length === FRAME_DATA_BYTES_MAX && !store.readHistory.noteRead(handle, start);
        return isNew ? file.readBulk(start, target) : file.read(start, target);
      });
    } catch (error) {
      // A file that is gone is damage to one replica, as one that is too short is; its blocks will not match.
      if (error instanceof DiskError && error.code === 'ENOENT') return 0;
      throw store.fault(error);
    }
  }
  try {
    const value = loadData(store.ledger, handle);
    return copyData(value instanceof Promise ? await value : value, start, target); // at once where nothing is waited for
  } catch (error) {
    if (isFsError(error, 'DAMAGED')) throw new CorruptBlockError(handle, 0);
    throw store.fault(error);
  }
}

function touches({ offset, bytes, lengthBefore }: Unsettled, start: number, end: number): boolean {
  return Math.min(offset, lengthBefore) < end && offset + bytes.length > start;
}

/** Puts the mutation's bytes, and the zeros of what it skipped, where they belong in the blocks. */
export function layOver(target: Uint8Array, start: number, { offset, bytes, lengthBefore }: Unsettled): void {
  const end = start + target.length;
  if (lengthBefore < offset) target.fill(0, clamp(lengthBefore, start, end) - start, clamp(offset, start, end) - start);
  const from = clamp(offset, start, end);
  const to = clamp(offset + bytes.length, start, end);
  if (to > from) target.set(bytes.subarray(from - offset, to - offset), from - start);
}

/** @returns the first block whose bytes are not those summed. */
function mismatch(
  target: Uint8Array,
  { start, summedLength, checksums }: { start: number; summedLength: number; checksums: readonly number[] },
): number | undefined {
  for (let at = 0, index = 0; at < target.length && start + at < summedLength; at += BLOCK_BYTES, index += 1) {
    const end = Math.min(at + BLOCK_BYTES, summedLength - start);
    if (crc32c(target.subarray(at, end)) !== checksums[index]) return start / BLOCK_BYTES + index;
  }
  return undefined;
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}
