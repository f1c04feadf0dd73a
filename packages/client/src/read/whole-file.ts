/** Room for all of a file. */
import { FsError } from '@cairnfs/base';

/** @throws FsError TOO_LARGE  Node has no buffer of that length. */
export function bufferOfFile(sizeBytes: number): Buffer {
  try {
    return Buffer.alloc(sizeBytes);
  } catch (cause) {
    const message = `${sizeBytes} bytes do not fit into one buffer: read them piece by piece, as by createReadStream`;
    throw new FsError('TOO_LARGE', message, { cause });
  }
}
