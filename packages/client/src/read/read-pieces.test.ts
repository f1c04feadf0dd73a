import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { FsError } from '@cairnfs/base';
import { PIECE_BYTES, PIECES_AHEAD } from '../limits.ts';
import { pattern, ScriptedFile } from '../testing/scripted-file.ts';
import { readPieces } from './read-pieces.ts';

function piecesOf(
  file: ScriptedFile,
  { start = 0, end = Number.MAX_SAFE_INTEGER - 1, signal = undefined as AbortSignal | undefined } = {},
) {
  const deadline = () => file.calls.deadline({ signal, timeoutMs: 2000 });
  return readPieces(file.reader, file.located, { path: '/file', start, end, deadline });
}

async function gathered(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return Buffer.concat(all);
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('pieces: together they are the file, or the range with both its ends', async () => {
  for (const size of [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES]) {
    const bytes = pattern(size);
    const file = new ScriptedFile(size === 0 ? [] : [{ offset: 0, bytes }]);
    equal(Buffer.compare(await gathered(piecesOf(file)), bytes), 0, `${size} bytes`);
    equal(file.locateCount <= 2, true, `${file.locateCount} locations for ${size} bytes`);
  }
  const bytes = pattern(3 * PIECE_BYTES);
  for (const [start, end] of [
    [0, 0],
    [10, 19],
    [PIECE_BYTES - 1, PIECE_BYTES],
    [5, 10 * PIECE_BYTES],
    [3 * PIECE_BYTES, 3 * PIECE_BYTES + 5],
  ] as const) {
    const file = new ScriptedFile([{ offset: 0, bytes }]);
    const expected = bytes.subarray(start, end + 1);
    equal(Buffer.compare(await gathered(piecesOf(file, { start, end })), expected), 0, `${start} to ${end}`);
  }
});

test('pieces: so many are read ahead of the one the caller works on, and no more', async () => {
  const bytes = pattern(12 * PIECE_BYTES);
  const file = new ScriptedFile([{ offset: 0, bytes }]);
  const reach = () => Math.max(...file.reads.map(({ request }) => request.offset + request.length));
  const pieces = piecesOf(file);
  for (let index = 1; index < 4; index += 1) {
    await pieces.next();
    for (let count = 0; count < 50; count += 1) await turn();
    equal(reach(), (index + PIECES_AHEAD) * PIECE_BYTES);
  }
  await pieces.return(undefined);
  for (let count = 0; count < 50; count += 1) await turn();
  equal(reach(), (3 + PIECES_AHEAD) * PIECE_BYTES);
});

test('pieces: what comes out of order is handed out in order', async () => {
  const bytes = pattern(6 * PIECE_BYTES);
  const file = new ScriptedFile([{ offset: 0, bytes }]);
  file.onRead = async ({ offset }) => {
    const turns = 30 - (offset / PIECE_BYTES) * 5;
    for (let count = 0; count < turns; count += 1) await turn();
  };
  equal(Buffer.compare(await gathered(piecesOf(file)), bytes), 0);
});

test('pieces: a failure comes in its turn, names the operation and the path, and leaves nothing unhandled', async () => {
  const bytes = pattern(4 * PIECE_BYTES);
  const file = new ScriptedFile([{ offset: 0, bytes }]);
  file.onRead = ({ offset }) => {
    if (offset >= PIECE_BYTES) throw new FsError('UNAVAILABLE', 'starting');
  };
  const pieces = piecesOf(file);
  deepEqual((await pieces.next()).value?.length, PIECE_BYTES);
  await rejects(pieces.next(), { code: 'ETIMEDOUT', syscall: 'read', path: '/file' });
  equal((await pieces.next()).done, true);
});

test('pieces: an abort ends them with its reason', async () => {
  const file = new ScriptedFile([{ offset: 0, bytes: pattern(8 * PIECE_BYTES) }]);
  const abort = new AbortController();
  const pieces = piecesOf(file, { signal: abort.signal });
  await pieces.next();
  file.onRead = (_, _address, { options }) => options.signal?.throwIfAborted();
  abort.abort();
  await rejects(gathered(pieces), { name: 'AbortError' });
  const count = file.reads.length;
  await turn();
  ok(file.reads.length === count);
});

test('pieces: a file that was replaced on the way is not mixed with the new one', async () => {
  const file = new ScriptedFile([{ offset: 0, bytes: pattern(8 * PIECE_BYTES) }]);
  const pieces = piecesOf(file);
  await pieces.next();
  file.chunks = [{ offset: 0, bytes: pattern(8 * PIECE_BYTES, 2), version: 3 }];
  file.onLocate = () => {
    throw new FsError('NOT_FOUND', 'inode 7 is gone');
  };
  await rejects(gathered(pieces), { code: 'ESTALE', syscall: 'read', path: '/file' });
});
