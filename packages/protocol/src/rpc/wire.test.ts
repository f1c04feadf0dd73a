import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GetChunkLengthReply, MutateRequest } from '../gen/cairn/v1/chunkserver.ts';
import { decodeMessage, encodeMessage } from './wire.ts';

const NUMBERS = [0, 1, 127, 128, 2 ** 28, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 40 + 5, Number.MAX_SAFE_INTEGER];

test('message: bytes and values are those of the library', () => {
  for (const committedLength of NUMBERS) {
    const message = { committedLength, sequence: 7, changedMs: undefined };
    const bytes = encodeMessage(GetChunkLengthReply, message);
    assert.deepEqual([...bytes], [...GetChunkLengthReply.encode(message).finish()]);
    assert.deepEqual(decodeMessage(GetChunkLengthReply, bytes), message);
  }
});

test('message: numbers beyond 2^53 and values no message can hold are refused, and leave nothing behind', () => {
  assert.throws(() => decodeMessage(GetChunkLengthReply, Buffer.from([8, ...Array(9).fill(0xff), 1])));
  const good = { committedLength: 1, sequence: 2, changedMs: undefined };
  for (const committedLength of [-1, 0.5, Number.NaN, 2 ** 64]) {
    assert.throws(() => encodeMessage(GetChunkLengthReply, { sequence: 3, committedLength }), String(committedLength));
    assert.deepEqual(decodeMessage(GetChunkLengthReply, encodeMessage(GetChunkLengthReply, good)), good);
  }
});

test('message: a large one keeps no memory and the next is whole', () => {
  const message = MutateRequest.fromPartial({ handle: 'h', data: new Uint8Array(1_000_000).fill(7) });
  assert.deepEqual(decodeMessage(MutateRequest, encodeMessage(MutateRequest, message)), message);
  const small = MutateRequest.fromPartial({ handle: 'x' });
  assert.deepEqual(decodeMessage(MutateRequest, encodeMessage(MutateRequest, small)), small);
});
