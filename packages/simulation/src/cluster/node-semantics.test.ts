/** The SDK beside `node:fs/promises`: the same calls on both, the same results and error codes. */
import { deepEqual, equal } from 'node:assert/strict';
import { constants } from 'node:fs';
import * as nodeFs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { CairnClient } from '@cairnfs/client';
import { SimulatedCluster } from './simulated-cluster.ts';

/** What both have, as far as it is compared here. */
type Fs = Pick<
  CairnClient,
  | 'appendFile'
  | 'chmod'
  | 'copyFile'
  | 'mkdir'
  | 'open'
  | 'readFile'
  | 'readdir'
  | 'rename'
  | 'rm'
  | 'rmdir'
  | 'stat'
  | 'truncate'
  | 'unlink'
  | 'utimes'
  | 'writeFile'
>;

let folder = '';
before(async () => {
  folder = await nodeFs.mkdtemp(join(tmpdir(), 'node-semantics-'));
});
after(() => nodeFs.rm(folder, { recursive: true, force: true }));

/** What a step came to: its value, or the code of its error. */
async function outcome(step: () => Promise<unknown>, base: string): Promise<unknown> {
  try {
    const value = await step();
    if (tellsOfTrash(value)) return undefined; // Node has none
    return typeof value === 'string' ? value.replace(base, '') : value;
  } catch (error) {
    const { code, path, dest } = error as { code?: string; path?: string; dest?: string };
    return { code, path: path?.replace(base, ''), ...(dest === undefined ? {} : { dest: dest.replace(base, '') }) };
  }
}

function tellsOfTrash(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'trashPath' in value;
}

async function sameOnBoth(seed: number, steps: (fs: Fs, base: string) => Promise<unknown>[] | AsyncGenerator<unknown>) {
  const gather = async (fs: Fs, base: string): Promise<unknown[]> => {
    const all: unknown[] = [];
    for await (const one of steps(fs, base)) all.push(one);
    return all;
  };
  const base = join(folder, String(seed));
  await nodeFs.mkdir(base);
  const cluster = await SimulatedCluster.start({ seed, chunkservers: 3 });
  const client = cluster.client();
  const ours = await cluster.run(async () => {
    await client.mkdir('/base');
    const gathered = await gather(client, '/base');
    await client.close();
    return gathered;
  });
  deepEqual(ours, await gather(nodeFs as unknown as Fs, base));
}

test('beside Node: flags of open decide alike over what is made, cut, refused and where bytes go', async () => {
  const { O_CREAT, O_RDWR, O_TRUNC, O_APPEND, O_WRONLY } = constants;
  const flags = ['r', 'r+', 'w', 'wx', 'w+', 'wx+', 'a', 'ax', 'a+', 'ax+', 'rs+', 'as'];
  await sameOnBoth(1, async function* (fs, base) {
    for (const flag of [...flags, O_CREAT | O_RDWR, O_TRUNC | O_RDWR, O_APPEND | O_WRONLY]) {
      for (const isThere of [true, false]) {
        const path = `${base}/file`;
        if (isThere) await fs.writeFile(path, 'content');
        else await fs.rm(path, { force: true });
        yield await outcome(async () => {
          const handle = await fs.open(path, flag);
          const buffer = Buffer.alloc(4);
          const results = [
            await outcome(async () => (await handle.read(buffer, 0, 2, 0)).bytesRead, base),
            await outcome(async () => (await handle.write(Buffer.from('xyz'), 1, 2, 3)).bytesWritten, base),
            await outcome(async () => (await handle.write('end')).bytesWritten, base),
            buffer.toString(),
          ].map((result) => (typeof result === 'object' ? (result as { code: string }).code : result));
          await handle.close();
          return [...results, await fs.readFile(path, 'utf8')];
        }, base);
      }
    }
  });
});

test('beside Node: a handle without positions goes on where it was, and a closed one is refused', async () => {
  await sameOnBoth(2, async function* (fs, base) {
    const path = `${base}/file`;
    const handle = await fs.open(path, 'w+');
    await handle.write('0123456789');
    await handle.write('abc', 2);
    yield await fs.readFile(path, { encoding: 'utf8' });
    await handle.truncate(4);
    await handle.truncate(6);
    yield await fs.readFile(path, 'hex');
    yield (await handle.stat()).size;
    await handle.close();
    await handle.close();
    yield ((await outcome(() => handle.read(Buffer.alloc(1)), base)) as { code: string }).code;
    const reader = await fs.open(path);
    const buffer = Buffer.alloc(4);
    yield (await reader.read(buffer, 0, 3)).bytesRead;
    yield (await reader.read(buffer, 0, 3, 0)).bytesRead;
    yield (await reader.read(buffer, 1, 3)).bytesRead;
    yield (await reader.read(buffer, 0, 4)).bytesRead;
    yield buffer.toString('hex');
    yield ((await outcome(() => reader.write(Buffer.from('no')), base)) as { code: string }).code;
    await reader.close();
  });
});

test('beside Node: whole files take the same content, encodings and flags', async () => {
  await sameOnBoth(3, async function* (fs, base) {
    const path = `${base}/file`;
    await fs.writeFile(path, 'grüß', 'latin1');
    yield await fs.readFile(path, 'hex');
    await fs.writeFile(path, new Uint16Array([1, 2, 3]));
    yield await fs.readFile(path, 'hex');
    await fs.writeFile(path, ['one ', 'two']);
    await fs.appendFile(path, ' three');
    await fs.appendFile(path, Buffer.from(' four'));
    await fs.writeFile(path, ' five', { flag: 'a' });
    yield await fs.readFile(path, 'utf8');
    yield Buffer.isBuffer(await fs.readFile(path));
    yield await outcome(() => fs.writeFile(path, 'no', { flag: 'wx' }), base);
    yield await outcome(() => fs.readFile(`${base}/missing`), base);
    yield await outcome(() => fs.writeFile(`${base}/missing/file`, ''), base);
    yield await outcome(() => fs.writeFile(base, ''), base);
    yield await outcome(() => fs.truncate(path, 3), base);
    yield await fs.readFile(path, 'utf8');
    yield await outcome(() => fs.truncate(`${base}/missing`), base);
  });
});

test('beside Node: directories are made, listed, renamed and removed alike', async () => {
  await sameOnBoth(4, async function* (fs, base) {
    const at = (path: string) => base + path;
    yield await outcome(() => fs.mkdir(at('/a/b/c'), { recursive: true }), base);
    yield await outcome(() => fs.mkdir(at('/a/b/c'), { recursive: true }), base);
    yield await outcome(() => fs.mkdir(at('/a/b/d/e'), { recursive: true }), base);
    yield await outcome(() => fs.mkdir(at('/a/x')), base);
    yield await outcome(() => fs.mkdir(at('/a/x')), base);
    yield await outcome(() => fs.mkdir(at('/no/where')), base);
    await fs.writeFile(at('/a/file'), 'file');
    yield await outcome(() => fs.mkdir(at('/a/file/d')), base);
    yield (await fs.readdir(at('/a'))).sort();
    yield (await fs.readdir(at('/a'), { recursive: true })).sort();
    yield (await fs.readdir(at('/a'), { withFileTypes: true }))
      .map((entry) => `${entry.name} ${entry.isDirectory()} ${entry.isFile()} ${entry.parentPath.replace(base, '')}`)
      .sort();
    yield await outcome(() => fs.readdir(at('/no')), base);
    yield await outcome(() => fs.readdir(at('/a/file')), base);
    yield await outcome(() => fs.rmdir(at('/a')), base);
    yield await outcome(() => fs.rmdir(at('/a/x')), base);
    yield await outcome(() => fs.rename(at('/a/no'), at('/a/yes')), base);
    yield await outcome(() => fs.rename(at('/a/file'), at('/a/b')), base);
    yield await outcome(() => fs.rename(at('/a'), at('/a/b/a')), base);
    yield await outcome(() => fs.rename(at('/a/file'), at('/a/moved')), base);
    yield await outcome(() => fs.copyFile(at('/a/moved'), at('/a/copy')), base);
    yield await outcome(() => fs.copyFile(at('/a/moved'), at('/a/copy'), constants.COPYFILE_EXCL), base);
    yield await outcome(() => fs.copyFile(at('/a/no'), at('/a/copy')), base);
    yield await fs.readFile(at('/a/copy'), 'utf8');
    yield await outcome(() => fs.unlink(at('/a/no')), base);
    yield await outcome(() => fs.rm(at('/a/no')), base);
    yield await outcome(() => fs.rm(at('/a/no'), { force: true }), base);
    yield await outcome(() => fs.rm(at('/a'), { recursive: true }), base);
    yield await outcome(() => fs.stat(at('/a')), base);
  });
});

test('beside Node: a slash at the end of a path is for directories', async () => {
  const paths = ['/file/', '/file//', '/dir/', '/missing/', '/no/where/', '/file/below/'];
  const calls: ((fs: Fs, path: string, base: string) => Promise<unknown>)[] = [
    async (fs, path) => (await fs.stat(path)).isDirectory(),
    async (fs, path) => ((await outcome(() => fs.readFile(path), '')) as { code: string }).code,
    (fs, path) => fs.open(path, 'r+'),
    (fs, path) => fs.open(path, 'w'),
    (fs, path) => fs.writeFile(path, 'x'),
    (fs, path) => fs.writeFile(path, 'x', { flag: 'a' }),
    (fs, path) => fs.appendFile(path, 'x'),
    (fs, path) => fs.truncate(path),
    (fs, path) => fs.chmod(path, 0o700),
    (fs, path) => fs.utimes(path, 1, 1),
    (fs, path, base) => fs.copyFile(path, `${base}/copy`),
    (fs, path, base) => fs.copyFile(`${base}/file`, path),
    (fs, path, base) => fs.rename(path, `${base}/moved`),
    (fs, path, base) => fs.rename(`${base}/file`, path),
    (fs, path, base) => fs.rename(`${base}/other`, path),
    async (fs, path) => (await fs.readdir(path, { recursive: true })).sort(),
    async (fs, path, base) =>
      (await fs.readdir(path, { withFileTypes: true })).map(({ parentPath }) => parentPath.replace(base, '')),
    (fs, path) => fs.mkdir(path),
    (fs, path) => fs.unlink(path),
    (fs, path) => fs.rmdir(path),
    (fs, path) => fs.rm(path, { recursive: true }),
  ];
  await sameOnBoth(6, async function* (fs, base) {
    for (const path of paths) {
      for (const call of calls) {
        await fs.rm(`${base}/moved`, { recursive: true, force: true });
        for (const directory of ['/dir/below', '/other']) await fs.mkdir(base + directory, { recursive: true });
        await fs.writeFile(`${base}/file`, 'content');
        const result = await outcome(() => call(fs, base + path, base), base);
        yield [path, String(call), result, (await fs.readdir(base, { recursive: true })).sort()];
        for (const name of await fs.readdir(base)) await fs.rm(`${base}/${name}`, { recursive: true });
      }
    }
    yield await outcome(() => fs.mkdir(`${base}/a/b/`, { recursive: true }), base);
  });
});

test('beside Node: a handle stays with its file when another takes the name, and never shows the other', async () => {
  const cluster = await SimulatedCluster.start({ seed: 5, chunkservers: 3 });
  const client = cluster.client();
  await cluster.run(async () => {
    await client.writeFile('/file', 'the old one');
    const handle = await client.open('/file', 'r+');
    await client.rename('/file', '/moved');
    await client.writeFile('/file', 'the new one');
    equal(await handle.readFile('utf8'), 'the old one');
    await client.writeFile('/moved', 'another');
    for (const attempt of [
      () => handle.readFile(),
      () => handle.stat(),
      () => handle.write('x', 0),
      () => handle.truncate(1),
    ]) {
      equal(((await outcome(attempt, '')) as { code: string }).code, 'ESTALE');
    }
    equal(await client.readFile('/file', 'utf8'), 'the new one');
    equal(await client.readFile('/moved', 'utf8'), 'another');
    await handle.close();
    await client.close();
  });
});

test('beside Node: what was refused moves no position, an append moves it to the end, and a closed handle refuses all', async () => {
  await sameOnBoth(7, async function* (fs, base) {
    const path = `${base}/file`;
    await fs.writeFile(path, '0123456789');
    const buffer = Buffer.alloc(3);
    const reader = await fs.open(path);
    await reader.read(buffer, 0, 3);
    yield ((await outcome(() => reader.write('no'), base)) as { code: string }).code;
    yield ((await outcome(() => reader.writeFile('no'), base)) as { code: string }).code;
    yield (await reader.read(buffer, 0, 3)).bytesRead;
    yield buffer.toString();
    await reader.close();
    const appender = await fs.open(path, 'a+');
    await appender.read(buffer, 0, 3);
    await appender.write('abc');
    yield (await appender.read(buffer, 0, 3)).bytesRead;
    await appender.close();
    for (const call of [
      () => appender.stat(),
      () => appender.sync(),
      () => appender.datasync(),
      () => appender.write('no'),
      () => appender.writeFile('no'),
      () => appender.appendFile('no'),
      () => appender.readFile(),
      () => appender.truncate(1),
    ]) {
      yield ((await outcome(call, base)) as { code: string }).code;
    }
    yield await fs.readFile(path, 'utf8');
  });
});

test('handle: a write that failed leaves no hole, the next goes where it was to go', async () => {
  const cluster = await SimulatedCluster.start({ seed: 8, chunkservers: 3 });
  const client = cluster.client();
  await cluster.run(async () => {
    const handle = await client.open('/file', 'w+');
    await handle.write('one ');
    const abort = new AbortController();
    abort.abort();
    const text = Buffer.from('never ');
    await outcome(() => handle.write(text, 0, text.length, null, { signal: abort.signal }), '');
    await handle.write('two');
    equal(await handle.readFile('utf8'), 'one two');
    await handle.close();
    await client.close();
  });
});

/** Of a MiB, as an append may be long. */
const LONG_RECORDS = { segmentBytes: 8 * 1024 * 1024, roomAheadBytes: 1024 * 1024 };

test('whole files: a stream is appended as it comes, a file that fits into no buffer is refused, ranges may have no end', async () => {
  const cluster = await SimulatedCluster.start({ seed: 9, chunkservers: 3, journal: LONG_RECORDS });
  const client = cluster.client();
  await cluster.run(async () => {
    const sizes: number[] = [];
    async function* pieces() {
      for (let count = 0; count < 4; count += 1) {
        yield Buffer.alloc(1024 * 1024, count);
        sizes.push(await client.stat('/file').then(({ size }) => size / 1024 / 1024));
      }
      yield 'end';
      throw new Error('of the source');
    }
    await client.writeFile('/file', '');
    const failed = await client.appendFile('/file', pieces()).catch((error: unknown) => String(error));
    equal(failed, 'Error: of the source');
    deepEqual(sizes, [1, 2, 3, 4]);
    await client.appendFile('/file', ['with ', 'an ', 'end']);
    const tail: Uint8Array[] = [];
    const range = { start: 4 * 1024 * 1024, end: Number.POSITIVE_INFINITY };
    for await (const piece of client.readPieces('/file', range)) tail.push(piece);
    equal(Buffer.concat(tail).toString(), 'with an end');
    await client.truncate('/file', 2 ** 50);
    equal(((await outcome(() => client.readFile('/file'), '')) as { code: string }).code, 'EFBIG');
    const handle = await client.open('/file');
    equal(((await outcome(() => handle.readFile(), '')) as { code: string }).code, 'EFBIG');
    await handle.close();
    await client.close();
  });
});

test('open: a file that is replaced while it is made empty was opened all the same', async () => {
  const cluster = await SimulatedCluster.start({ seed: 10, chunkservers: 3 });
  const [client, other] = [cluster.client(), cluster.client()];
  await cluster.run(async () => {
    let isOver = false;
    const replace = async () => {
      while (!isOver) await other.writeFile('/file', 'another');
    };
    const replacing = [replace(), replace(), replace()];
    await other.writeFile('/file', 'another');
    for (let count = 0; count < 30; count += 1) await (await client.open('/file', 'w')).close();
    isOver = true;
    await Promise.all(replacing);
    await Promise.all([client.close(), other.close()]);
  });
});
