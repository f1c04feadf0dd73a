import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { concatBytes } from './bytes.ts';
import { crc32c } from './crc32c.ts';
import { crc32cCombine } from './crc32c-combine.ts';

const bytes = fc.uint8Array({ maxLength: 300 });

test('crc32c: agrees with the published check value', () => {
  equal(crc32c(Buffer.from('123456789')), 0xe3069283); // RFC 3720, appendix B.4: the polynomial's check value
  equal(crc32c(new Uint8Array(32)), 0x8a9136aa);
  equal(crc32c(new Uint8Array(0)), 0);
});

test('crc32c: sums a text in parts as it sums the whole', () => {
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      equal(crc32c(b, crc32c(a)), crc32c(concatBytes([a, b])));
    }),
  );
});

test('crc32c combination: equals the checksum of both parts joined', () => {
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      equal(crc32cCombine(crc32c(a), crc32c(b), b.length), crc32c(concatBytes([a, b])));
    }),
  );
});

test('crc32c combination: holds around the 64 KiB fast path and over whole frames', () => {
  const a = Buffer.from('the part before');
  for (const length of [65535, 65536, 65537, 1024 * 1024]) {
    const b = new Uint8Array(length).map((_, index) => (index * 31) % 256);
    equal(crc32cCombine(crc32c(a), crc32c(b), length), crc32c(concatBytes([a, b])));
  }
});

test('crc32c combination: blocks fold into the checksum of their frame', () => {
  const frame = new Uint8Array(5 * 65536 + 77).map((_, index) => (index * 7) % 251);
  let sum = 0;
  for (let offset = 0; offset < frame.length; offset += 65536) {
    const block = frame.subarray(offset, offset + 65536);
    sum = crc32cCombine(sum, crc32c(block), block.length);
  }
  equal(sum, crc32c(frame));
});

test('crc32c combination: is associative for lengths far beyond memory', () => {
  const crc = fc.integer({ min: 0, max: 0xffff_ffff });
  const length = fc.integer({ min: 0, max: 2 ** 50 });
  fc.assert(
    fc.property(crc, crc, crc, length, length, (a, b, c, lengthB, lengthC) => {
      const left = crc32cCombine(crc32cCombine(a, b, lengthB), c, lengthC);
      const right = crc32cCombine(a, crc32cCombine(b, c, lengthC), lengthB + lengthC);
      equal(left, right);
    }),
  );
});
