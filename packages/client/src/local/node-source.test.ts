import { deepEqual, equal } from 'node:assert/strict';
import { mkdtemp, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { writeLocal } from './node-files.ts';
import { fileSource, openSource } from './node-source.ts';

type ReadableFile = Parameters<typeof fileSource>[0];

/** A file of so many bytes; `afterRead` tells how many it has after each read of it. */
function changingFile(length: number, afterRead: (length: number) => number = (same) => same): ReadableFile {
  let now = length;
  const read = async (buffer: Uint8Array, _at: number, wanted: number, position: number) => {
    const bytesRead = Math.max(0, Math.min(wanted, now - position));
    now = afterRead(now);
    return { bytesRead, buffer };
  };
  return { read } as unknown as ReadableFile;
}

/** The lengths of the pieces that an upload is given when it asks for 100 bytes each time. */
async function pieceLengths(file: ReadableFile, sizeBytes: number): Promise<number[]> {
  const source = fileSource(file, sizeBytes);
  const lengths: number[] = [];
  for (let piece = await source.next(100); piece !== undefined; piece = await source.next(100)) {
    lengths.push(piece.length);
  }
  return lengths;
}

test('local source: a file is read to its end, in full pieces but for the last', async () => {
  deepEqual(await pieceLengths(changingFile(250), 250), [100, 100, 50]);
  deepEqual(await pieceLengths(changingFile(200), 200), [100, 100]);
  deepEqual(await pieceLengths(changingFile(0), 0), []);
});

test('local source: of a file that grows all the time what it held when it was opened is read', async () => {
  const growing = (length: number) => length + 1000;
  deepEqual(await pieceLengths(changingFile(250, growing), 250), [100, 100, 50]);
  deepEqual(await pieceLengths(changingFile(200, growing), 200), [100, 100]);
});

test('local source: a file that was cut ends where it was cut, also when it grows again', async () => {
  const lengths = [130, 130];
  const changing = changingFile(250, () => lengths.shift() ?? 250);
  deepEqual(await pieceLengths(changing, 250), [100, 30]);
  deepEqual(await pieceLengths(changingFile(0), 250), []);
});

test('local source: a file whose size is told as none is read to the end that it has', async () => {
  deepEqual(await pieceLengths(changingFile(130), 0), [100, 30]);
});

test('local source: begun again it has the same bytes', async () => {
  const source = fileSource(
    changingFile(50, () => 60),
    50,
  );
  for (let round = 0; round < 2; round += 1) {
    equal((await source.next(100))?.length, 50);
    equal(await source.next(100), undefined);
    await source.restart?.();
  }
});

async function emptyFile(context: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'cairnfs-source-'));
  context.after(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, 'file'), '');
  return join(folder, 'file');
}

async function modifiedMsOf(path: string): Promise<number> {
  const source = await openSource(path);
  await source.close();
  return source.modifiedMs;
}

test('local source: its time is rounded down to milliseconds, so that no copy is newer', async (context) => {
  const path = await emptyFile(context);
  for (const seconds of [1_700_000_000.1238, 1_700_000_000.999_99]) {
    await utimes(path, seconds, seconds);
    equal(await modifiedMsOf(path), Math.floor(seconds * 1000));
  }
});

test('local source: the time of a file that was fetched is the one that was stored, to the nanosecond', async (context) => {
  const path = await emptyFile(context);
  for (let ms = 1_700_000_000_000; ms < 1_700_000_000_100; ms += 1) {
    const nothing = (async function* () {})();
    await writeLocal(path, nothing, () => undefined, { mode: 0o644, modifiedMs: ms });
    equal((await stat(path, { bigint: true })).mtimeNs, BigInt(ms) * 1_000_000n);
    equal(await modifiedMsOf(path), ms);
  }
});
