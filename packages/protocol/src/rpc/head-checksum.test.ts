import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32c } from '@cairnfs/base';
import { seededRandom } from '../testing/fixtures.ts';
import { checksumOf } from './head-checksum.ts';

test('head checksum: it is CRC32C, at any length, start and initial value', () => {
  assert.equal(checksumOf(Buffer.from('123456789'), 0, 9, 0), 0xe3069283); // the check value of the catalogue of CRCs
  const random = seededRandom(5);
  for (let length = 0; length < 300; length += 1) {
    const bytes = random.bytes(length + 7);
    const initial = random.uint32();
    assert.equal(checksumOf(bytes, 3, length, initial), crc32c(bytes.subarray(3, 3 + length), initial));
  }
});
