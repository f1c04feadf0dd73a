import { bytesToUuid } from './key.ts';
import type { Random } from './seams.ts';

/** A fresh random UUID, version 4 (RFC 9562 §5.4): 36 lowercase characters. */
export function randomUuid(random: Random): string {
  const bytes = random.bytes(16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return bytesToUuid(bytes);
}
