import { bytesToUuid } from './key.ts';
import type { Clock, Random } from './seams.ts';

/** A fresh random UUID, version 4 (RFC 9562 §5.4): 36 lowercase characters. */
export function randomUuid(random: Random): string {
  return stamped(random.bytes(16), 4);
}

/**
 * A fresh UUID that begins with the wall time in milliseconds, version 7 (RFC 9562 §5.7). What is made together lies
 * together under its key: a B+ tree takes it at its right edge instead of one page for each. 74 of its bits are random,
 * so a clock that jumps back costs order, never uniqueness.
 */
export function timeOrderedUuid({ random, clock }: { random: Random; clock: Pick<Clock, 'wallMs'> }): string {
  const bytes = random.bytes(16);
  let rest = Math.max(0, Math.floor(clock.wallMs()));
  for (let index = 5; index >= 0; index -= 1) {
    bytes[index] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  return stamped(bytes, 7);
}

function stamped(bytes: Uint8Array, version: number): string {
  bytes[6] = (bytes[6]! & 0x0f) | (version << 4);
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return bytesToUuid(bytes);
}
