import { deepEqual, equal, match, rejects } from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { FsError } from '@cairnfs/base';
import type { CairnClient } from '../client.ts';
import { downloadTree, uploadTree } from './node-transfer.ts';

async function folder(context: TestContext, files: readonly (string | Buffer)[]): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'cairnfs-transfer-'));
  context.after(() => rm(path, { recursive: true }));
  for (const name of files) await writeFile(Buffer.concat([Buffer.from(`${path}/`), Buffer.from(name)]), 'x');
  return path;
}

/** A cluster that takes what it is given; `whenStored` runs after each file. */
function cluster(whenStored: (path: string) => Promise<void> = async () => undefined) {
  const stored: string[] = [];
  const client = {
    mkdir: async () => undefined,
    store: async (path: string) => {
      stored.push(path);
      await whenStored(path);
    },
  } as unknown as CairnClient;
  return { client, stored };
}

test('upload: a file that vanishes under way is told, and the rest of the tree is stored', async (context) => {
  const path = await folder(context, ['a', 'b', 'c']);
  const { client, stored } = cluster(async (file) => {
    if (file === '/t/a') await rm(join(path, 'b'));
  });
  const result = await uploadTree(client, path, '/t', { recursive: true, parallel: 1 });
  deepEqual(stored, ['/t/a', '/t/c']);
  deepEqual(
    result.failed.map((left) => left.path),
    [join(path, 'b')],
  );
  match(result.failed[0]!.reason, /^ENOENT/);
  equal(result.files, 2);
});

test('upload: a name that is not UTF-8 is told, and the rest of the tree is stored', async (context) => {
  if (process.platform !== 'linux') return context.skip('the file system takes no such names');
  const path = await folder(context, ['a', Buffer.from([0x62, 0xff]), 'z']);
  const { client, stored } = cluster();
  const { failed } = await uploadTree(client, path, '/t', { recursive: true });
  deepEqual(stored, ['/t/a', '/t/z']);
  equal(failed.length, 1);
  match(failed[0]!.reason, /not UTF-8/);
});

test('upload: symbolic links are skipped, a dangling one that is to be followed cannot be read', async (context) => {
  const path = await folder(context, ['a']);
  await mkdir(join(path, 'd'));
  await symlink(join(path, 'nowhere'), join(path, 'd', 'link'));
  const { client } = cluster();
  const kept = await uploadTree(client, path, '/t', { recursive: true });
  deepEqual(kept.skipped, [{ path: join(path, 'd', 'link'), reason: 'it is a symbolic link' }]);
  deepEqual(kept.failed, []);
  const followed = await uploadTree(client, path, '/t', { recursive: true, followSymlinks: true });
  deepEqual(followed.skipped, []);
  match(followed.failed[0]!.reason, /^ENOENT/);
});

test('upload: a link to a directory that it is in is told, and not followed round and round', async (context) => {
  const path = await folder(context, ['a']);
  await mkdir(join(path, 'd'));
  await symlink('..', join(path, 'd', 'up'));
  await symlink('a', join(path, 'd2'));
  const { client, stored } = cluster();
  const { skipped, failed } = await uploadTree(client, path, '/t', { recursive: true, followSymlinks: true });
  deepEqual(stored, ['/t/a', '/t/d2']);
  deepEqual(skipped, [{ path: join(path, 'd', 'up'), reason: 'it leads to a directory that it is in' }]);
  deepEqual(failed, []);
});

test('transfer: no files under way at once are refused', async (context) => {
  const path = await folder(context, ['a']);
  for (const parallel of [0, -1, 1.5, Number.NaN]) {
    await rejects(uploadTree(cluster().client, path, '/t', { recursive: true, parallel }), { code: 'EINVAL' });
  }
});

test('upload: a beginning that is not there fails', async (context) => {
  const path = await folder(context, []);
  await rejects(uploadTree(cluster().client, join(path, 'none'), '/t', { recursive: true }), { code: 'ENOENT' });
});

test('upload: a file that cannot be stored is told, and the rest of the tree is stored', async (context) => {
  const path = await folder(context, ['a', 'b', 'c']);
  const { client, stored } = cluster(async (file) => {
    if (file === '/t/a') throw new FsError('IS_A_DIRECTORY', 'no');
  });
  const { failed, files } = await uploadTree(client, path, '/t', { recursive: true, parallel: 1 });
  deepEqual(stored, ['/t/a', '/t/b', '/t/c']);
  deepEqual([failed.map((left) => [left.path, left.reason]), files], [[[join(path, 'a'), 'no']], 2]);
});

test('upload: of a directory that cannot be made nothing is tried', async (context) => {
  const path = await folder(context, ['z']);
  await mkdir(join(path, 'd', 'e'), { recursive: true });
  await writeFile(join(path, 'd', 'e', 'f'), 'x');
  const { client, stored } = cluster();
  const mkdirRemote = async (target: string) => {
    if (target === '/t/d') throw new FsError('ALREADY_EXISTS', 'no');
  };
  Object.assign(client, { mkdir: mkdirRemote });
  const { failed } = await uploadTree(client, path, '/t', { recursive: true });
  deepEqual([stored, failed.map((left) => left.path)], [['/t/z'], [join(path, 'd')]]);
});

test('upload: what would fail for every file ends it, and so does a master out of reach', async (context) => {
  const path = await folder(context, ['a', 'b', 'c']);
  for (const [kind, isMasterThere, tried] of [
    ['NO_SPACE', true, 1],
    ['CONNECTION_REFUSED', false, 1],
    ['CONNECTION_REFUSED', true, 3],
  ] as const) {
    const { client, stored } = cluster(async () => {
      throw new FsError(kind, 'no');
    });
    const stat = async () => {
      if (!isMasterThere) throw new FsError('CONNECTION_REFUSED', 'no master');
    };
    Object.assign(client, { stat });
    const upload = uploadTree(client, path, '/t', { recursive: true, parallel: 1 });
    if (tried === 1) await rejects(upload, { kind });
    else equal((await upload).failed.length, tried);
    equal(stored.length, tried);
  }
});

/** A cluster with a directory of files whose content is their own path, each in two pieces. */
function clusterOf(names: readonly string[]): CairnClient {
  const attributes = { size: 0, mode: 0o644, mtimeMs: 1_000 };
  return {
    stat: async (path: string) => ({ ...attributes, isDirectory: () => path === '/d' }),
    async *opendir() {
      for (const name of names) yield { name, isDirectory: () => false, stats: attributes };
    },
    async *readPieces(path: string) {
      yield Buffer.from(path.slice(0, 2));
      await new Promise(setImmediate);
      yield Buffer.from(path.slice(2));
    },
  } as unknown as CairnClient;
}

test('download: what cannot be written or read is told, and the rest is fetched', async (context) => {
  const path = await folder(context, []);
  await mkdir(join(path, 'b'));
  const client = clusterOf(['a', 'b', 'c', 'd']);
  const { readPieces } = client;
  const damaged = (file: string) => {
    if (file === '/d/c') throw new FsError('CHECKSUM_MISMATCH', 'damaged');
    return readPieces(file);
  };
  Object.assign(client, { readPieces: damaged });
  const { failed, files } = await downloadTree(client, '/d', path, { recursive: true, parallel: 1 });
  deepEqual([failed.map((left) => left.path), files], [['/d/b', '/d/c'], 2]);
  deepEqual((await readdir(path)).sort(), ['a', 'b', 'd']);
});

test('download: a file that the listing could not tell is asked for alone; one that nobody can tell has failed', async (context) => {
  const path = await folder(context, []);
  const client = clusterOf(['a', 'b', 'c']);
  const { opendir, stat: statOf } = client;
  Object.assign(client, {
    async *opendir(name: string) {
      for await (const entry of opendir(name)) yield { ...entry, stats: entry.name === 'c' ? entry.stats : undefined };
    },
    async stat(name: string) {
      if (name === '/d/b') throw new FsError('DEADLINE_EXCEEDED', 'gave up after 60 s');
      return name === '/d/a' ? { size: 4, mode: 0o600, mtimeMs: 1_000 } : statOf(name);
    },
  });
  const { failed, files } = await downloadTree(client, '/d', path, { recursive: true });
  deepEqual([failed.map((left) => left.path), files], [['/d/b'], 2]);
  deepEqual((await readdir(path)).sort(), ['a', 'c']);
  equal((await stat(join(path, 'a'))).mode & 0o777, 0o600);
});

test('download: one that ends early leaves nothing half, and ends when nothing is under way any more', async (context) => {
  const interrupted = new AbortController();
  for (const [failure, signal] of [
    [new FsError('CLUSTER_MISMATCH', 'another cluster'), undefined],
    [new Error('interrupted'), interrupted.signal],
  ] as const) {
    const path = await folder(context, []);
    const client = clusterOf(['a', 'b', 'c', 'd']);
    let underWay = 0;
    const hanging = async function* (file: string, call: { signal: AbortSignal }) {
      underWay += 1;
      try {
        yield Buffer.from('begun');
        if (file === '/d/c' && signal === undefined) throw failure;
        if (file === '/d/c') interrupted.abort(failure);
        if (!call.signal.aborted) await once(call.signal, 'abort');
        await new Promise(setImmediate);
        throw call.signal.reason;
      } finally {
        underWay -= 1;
      }
    };
    Object.assign(client, { readPieces: hanging });
    const options = { recursive: true, parallel: 3, ...(signal === undefined ? {} : { signal }) };
    equal(await downloadTree(client, '/d', path, options).catch((error: unknown) => error), failure);
    equal(underWay, 0);
    deepEqual(await readdir(path), []);
  }
});

/** The umask is the process's own. */
function underUmask(context: TestContext, mask: number): void {
  const before = process.umask(mask);
  context.after(() => process.umask(before));
}

test('download: directories have the modes that they were stored with, also when nobody may write to them', async (context) => {
  underUmask(context, 0o022);
  const path = await folder(context, []);
  const modes: Readonly<Record<string, number>> = { '/d': 0o750, '/d/private': 0o700, '/d/shut': 0o555 };
  const client = clusterOf([]);
  const directory = (name: string) => ({ mode: modes[name]!, mtimeMs: 1_000, size: 0, isDirectory: () => true });
  Object.assign(client, {
    stat: async (name: string) => directory(name),
    async *opendir(name: string) {
      const file = { name: 'file', isDirectory: () => false, stats: { size: 0, mode: 0o600, mtimeMs: 1_000 } };
      yield file;
      if (name !== '/d') return;
      for (const below of ['private', 'shut'])
        yield { name: below, isDirectory: () => true, stats: directory(`/d/${below}`) };
    },
  });
  const { failed } = await downloadTree(client, '/d', join(path, 'd'), { recursive: true });
  deepEqual(failed, []);
  for (const [name, mode] of Object.entries(modes)) equal((await stat(path + name)).mode & 0o7777, mode, name);
  equal(await readFile(join(path, 'd/shut/file'), 'utf8'), '/d/shut/file');
  await chmod(join(path, 'd/shut'), 0o700);
});

test('download: what is new has the mode that is stored as far as the umask allows, what was there keeps its own', async (context) => {
  const path = await folder(context, ['there']);
  const client = clusterOf([]);
  const stored = (mode: number, isDirectory = false) => ({ mode, mtimeMs: 1, size: 0, isDirectory: () => isDirectory });
  Object.assign(client, {
    stat: async (name: string) => (name === '/d' ? stored(0o775, true) : stored(0o664)),
    async *opendir(name: string) {
      yield { name: 'file', isDirectory: () => false, stats: stored(0o664) };
      if (name === '/d') yield { name: 'shut', isDirectory: () => true, stats: stored(0o577, true) };
    },
  });
  const modeOf = async (name: string) => (await stat(join(path, name))).mode & 0o7777;
  underUmask(context, 0o077);
  await downloadTree(client, '/d', join(path, 'd'), { recursive: true });
  await downloadTree(client, '/new', join(path, 'new'), {});
  for (const [name, mode] of [
    ['d', 0o700],
    ['d/file', 0o600],
    ['d/shut', 0o500],
    ['d/shut/file', 0o600],
    ['new', 0o600],
  ] as const) {
    equal(await modeOf(name), mode, name);
  }
  await chmod(join(path, 'd', 'shut'), 0o700);
  process.umask(0o022);
  for (const mode of [0o600, 0o666, 0o444]) {
    await chmod(join(path, 'there'), mode);
    await downloadTree(client, '/new', join(path, 'there'), {});
    equal(await modeOf('there'), mode);
    equal(await readFile(join(path, 'there'), 'utf8'), '/new');
  }
  await chmod(join(path, 'd'), 0o711);
  await downloadTree(client, '/d', join(path, 'd'), { recursive: true });
  equal(await modeOf('d'), 0o711);
});

test('download: set-id and sticky bits are not given to what is fetched', async (context) => {
  const path = await folder(context, ['there']);
  const client = clusterOf(['a', 'there']);
  const directory = { mode: 0o7555, mtimeMs: 1_000, size: 0, isDirectory: () => true };
  const file = { mode: 0o7755, mtimeMs: 1_000, size: 0 };
  Object.assign(client, {
    stat: async (name: string) => (name === '/d' ? directory : { ...file, isDirectory: () => false }),
    async *opendir(name: string) {
      yield { name: 'file', isDirectory: () => false, stats: file };
      if (name === '/d') yield { name: 'below', isDirectory: () => true, stats: { ...directory, mode: 0o7755 } };
    },
  });
  await downloadTree(client, '/d', join(path, 'd'), { recursive: true });
  await downloadTree(client, '/new', join(path, 'new'), {});
  await downloadTree(client, '/new', join(path, 'there'), {});
  for (const name of ['d', 'd/file', 'd/below', 'd/below/file', 'new', 'there']) {
    equal((await stat(join(path, name))).mode & 0o7000, 0, name);
  }
  await chmod(join(path, 'd'), 0o700);
});

test('download: long names that differ in their ends alone do not get into each other', async (context) => {
  const path = await folder(context, []);
  const names = ['1', '2', '3'].flatMap((end) => ['x'.repeat(254) + end, 'ü'.repeat(127) + end]);
  await downloadTree(clusterOf(names), '/d', path, { recursive: true });
  deepEqual((await readdir(path)).sort(), [...names].sort());
  for (const name of names) equal(await readFile(join(path, name), 'utf8'), `/d/${name}`);
});

test('download: a link stays, and the file that it names is replaced', async (context) => {
  const path = await folder(context, ['file']);
  await symlink('file', join(path, 'link'));
  await downloadTree(clusterOf([]), '/new', join(path, 'link'), {});
  equal(await readlink(join(path, 'link')), 'file');
  equal(await readFile(join(path, 'file'), 'utf8'), '/new');
});

test('download: what is there and is no file is written to and stays', async (context) => {
  if (process.platform === 'win32') return context.skip('there are no named pipes');
  const path = await folder(context, []);
  const pipe = join(path, 'pipe');
  execFileSync('mkfifo', [pipe]);
  const [content] = await Promise.all([readFile(pipe, 'utf8'), downloadTree(clusterOf([]), '/new', pipe, {})]);
  equal(content, '/new');
  equal((await lstat(pipe)).isFIFO(), true);
  deepEqual(await readdir(path), ['pipe']);
});

test('download: what a dangling link names is created, and the link stays', async (context) => {
  const path = await folder(context, []);
  await mkdir(join(path, 'deep', 'd'), { recursive: true });
  await symlink('deep/d', join(path, 'directory'));
  // By its text alone, the `..` would lead to where the link is.
  await symlink('directory/../file', join(path, 'link'));
  await symlink('link', join(path, 'second'));
  await downloadTree(clusterOf([]), '/new', join(path, 'second'), {});
  equal(await readlink(join(path, 'second')), 'link');
  equal(await readlink(join(path, 'link')), 'directory/../file');
  equal(await readFile(join(path, 'deep', 'file'), 'utf8'), '/new');
});

test('download: a link to a directory stays, and what is to replace the directory is refused', async (context) => {
  const path = await folder(context, []);
  await mkdir(join(path, 'd'));
  await symlink('d', join(path, 'link'));
  await rejects(downloadTree(clusterOf([]), '/new', join(path, 'link'), {}), { code: 'EISDIR' });
  equal(await readlink(join(path, 'link')), 'd');
  deepEqual((await readdir(path)).sort(), ['d', 'link']);
});

for (const flags of ['a', 'w'] as const) {
  test(`download: a descriptor opened with '${flags}' keeps its file, what is there and its place`, async (context) => {
    if (process.platform === 'win32') return context.skip('descriptors have no names');
    const path = await folder(context, ['log']);
    const log = await open(join(path, 'log'), flags);
    await log.write('[');
    const { ino } = await log.stat();
    const named = `/dev/fd/${log.fd}`;
    await symlink(named, join(path, 'link'));
    await downloadTree(clusterOf([]), '/one', named, {});
    await log.write(',');
    await downloadTree(clusterOf([]), '/two', join(path, 'link'), {});
    await log.write(']');
    await log.close();
    equal(await readFile(join(path, 'log'), 'utf8'), `${flags === 'a' ? 'x' : ''}[/one,/two]`);
    equal((await lstat(join(path, 'log'))).ino, ino);
    equal(await readlink(join(path, 'link')), named);
    deepEqual((await readdir(path)).sort(), ['link', 'log']);
  });
}

test('download: a descriptor of a file that is unlinked is written to', async (context) => {
  if (process.platform === 'win32') return context.skip('descriptors have no names');
  const path = await folder(context, ['log']);
  const log = await open(join(path, 'log'), 'w+');
  await rm(join(path, 'log'));
  await downloadTree(clusterOf([]), '/new', `/dev/fd/${log.fd}`, {});
  const { buffer, bytesRead } = await log.read({ position: 0 });
  await log.close();
  equal(buffer.toString('utf8', 0, bytesRead), '/new');
  deepEqual(await readdir(path), []);
});

test("download: another process's descriptor keeps its file, and the end is written to", async (context) => {
  if (process.platform !== 'linux') return context.skip('the descriptors of other processes have no names');
  const path = await folder(context, ['log']);
  const log = await open(join(path, 'log'), 'r+');
  const other = spawn('cat', { stdio: ['pipe', log.fd, 'inherit'] });
  try {
    await downloadTree(clusterOf([]), '/new', `/proc/${other.pid}/fd/1`, {});
  } finally {
    other.stdin!.end();
    await once(other, 'exit');
    await log.close();
  }
  equal(await readFile(join(path, 'log'), 'utf8'), 'x/new');
  deepEqual(await readdir(path), ['log']);
});
