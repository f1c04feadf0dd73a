import { deepEqual, equal, rejects } from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { appendPieces } from './append-pieces.ts';

const NEVER = new AbortController().signal;
/** Far beyond the time that a test may take. */
const LONG_MS = 1e9;

async function allOf(pieces: AsyncIterable<Buffer>): Promise<string[]> {
  const all: string[] = [];
  for await (const piece of pieces) all.push(piece.toString());
  return all;
}

test('append: lines that have arrived are appended while the input goes on, one that has not ended waits', async () => {
  const input = new PassThrough();
  const pieces = appendPieces(input, NEVER, { bytesMax: 100, pauseMs: 1 });
  input.write('one\ntwo\nthr');
  equal(String((await pieces.next()).value), 'one\ntwo\n');
  input.write('ee\n');
  equal(String((await pieces.next()).value), 'three\n');
  input.end('four');
  equal(String((await pieces.next()).value), 'four');
  equal((await pieces.next()).done, true);
});

test('append: what is longer than one append is cut between lines, a longer line within', async () => {
  const input = new PassThrough();
  input.end(`${'a'.repeat(6)}\n${'b'.repeat(6)}\n${'c'.repeat(25)}`);
  const pieces = await allOf(appendPieces(input, NEVER, { bytesMax: 10, pauseMs: LONG_MS }));
  deepEqual(pieces, ['aaaaaa\n', 'bbbbbb\n', 'c'.repeat(10), 'c'.repeat(10), 'c'.repeat(5)]);
});

test('append: what has arrived by an interruption is appended first', async () => {
  const input = new PassThrough();
  const interrupted = new AbortController();
  const pieces = appendPieces(input, interrupted.signal, { bytesMax: 100, pauseMs: LONG_MS });
  input.write('one\ntw');
  const first = pieces.next();
  await new Promise(setImmediate);
  interrupted.abort(new Error('interrupted'));
  equal(String((await first).value), 'one\ntw');
  await rejects(pieces.next(), /^Error: interrupted$/);
});

test('append: an input that fails is told, after what was read of it', async () => {
  const input = new PassThrough();
  const pieces = appendPieces(input, NEVER, { bytesMax: 100, pauseMs: 1 });
  input.write('one\n');
  equal(String((await pieces.next()).value), 'one\n');
  input.destroy(new Error('EIO: i/o error, read'));
  await rejects(pieces.next(), /^Error: EIO/);
});

test('append: of an empty input nothing is appended', async () => {
  const input = new PassThrough();
  input.end();
  deepEqual(await allOf(appendPieces(input, NEVER, { bytesMax: 10, pauseMs: 1 })), []);
});
