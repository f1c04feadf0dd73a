/**
 * The chunk size of a cluster: decided at its first start, the same for as long as it lives. On the wire the usual size
 * is 0, which costs no byte.
 */
import { FsError } from '@cairnfs/base';
import { BLOCK_BYTES, CHUNK_BYTES_MAX, CHUNK_BYTES_MIN, RECORD_BYTES_MAX } from './limits.ts';

/** @throws FsError INVALID_ARGUMENT  no size that a chunk may have. */
export function checkChunkBytes(chunkBytes: number): number {
  const isInRange = chunkBytes >= CHUNK_BYTES_MIN && chunkBytes <= CHUNK_BYTES_MAX;
  if (isInRange && chunkBytes % BLOCK_BYTES === 0) return chunkBytes;
  throw new FsError(
    'INVALID_ARGUMENT',
    `chunks of ${chunkBytes} bytes: ${CHUNK_BYTES_MIN} to ${CHUNK_BYTES_MAX} are possible, in steps of ${BLOCK_BYTES}`,
  );
}

/** As `chunk_bytes` of a message. */
export function writeChunkBytes(chunkBytes: number): number {
  return chunkBytes === CHUNK_BYTES_MAX ? 0 : chunkBytes;
}

/** @throws FsError INVALID_ARGUMENT  the peer told a size that no chunk may have. */
export function readChunkBytes(told: number): number {
  return told === 0 ? CHUNK_BYTES_MAX : checkChunkBytes(told);
}

/** The longest record: it never straddles chunks. */
export function recordBytesMax(chunkBytes: number): number {
  return Math.min(RECORD_BYTES_MAX, chunkBytes);
}
