/** One pass over a frame's bytes: the checksum of each 64 KiB block, and from those the frame's (docs/protocol.md). */
import { crc32c, crc32cCombine, FsError } from '@cairnfs/base';
import { BLOCK_BYTES } from '@cairnfs/protocol';

/**
 * @param bytes from the start of a block on.
 * @throws FsError CHECKSUM_MISMATCH  the bytes are not those the sender summed.
 */
export function sumBlocks(bytes: Uint8Array, expected: number): number[] {
  const checksums: number[] = [];
  let whole = 0;
  for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
    const block = bytes.subarray(at, at + BLOCK_BYTES);
    const checksum = crc32c(block);
    whole = at === 0 ? checksum : crc32cCombine(whole, checksum, block.length);
    checksums.push(checksum);
  }
  if (whole === expected) return checksums;
  throw new FsError(
    'CHECKSUM_MISMATCH',
    `a frame of ${bytes.length} bytes arrived with another checksum than its sender computed: send it again`,
  );
}
