/** Raw data beside a message: stating its checksum when it leaves, checking it when it arrived. */
import { crc32c, FsError } from '@cairnfs/base';
import type { DataPart, ReceivedData } from './types.ts';

/**
 * One buffer as the data of a frame, with its CRC32C computed here. Callers that already hold block checksums combine
 * them instead and build the `DataPart` themselves.
 *
 * @param sent runs once when `bytes` may be reused.
 */
export function dataPart(bytes: Uint8Array, sent?: () => void): DataPart {
  const part = { buffers: [bytes], checksum: crc32c(bytes) };
  return sent === undefined ? part : { ...part, sent };
}

/** @throws FsError CHECKSUM_MISMATCH when the bytes are not those the sender summed. */
export function verifyData(received: ReceivedData): void {
  const found = crc32c(received.bytes);
  if (found === received.checksum) return;
  throw new FsError(
    'CHECKSUM_MISMATCH',
    `${received.bytes.length} bytes of frame data arrived with CRC32C ${hex(found)} instead of ${hex(received.checksum)}: ` +
      'they changed on the way; send them again',
  );
}

function hex(checksum: number): string {
  return checksum.toString(16).padStart(8, '0');
}
