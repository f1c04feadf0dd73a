import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, statfs, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { DiskError, FsError, MiB, type StateChange } from '@cairnfs/base';
import { commitError, storeError } from './lmdb-failure.ts';
import { openLmdbStateStore } from './lmdb-state-store.ts';

/** As the binding throws it. */
function lmdbError(code: number, message: string): Error {
  return Object.assign(new Error(message), { code });
}

const codeOf = (error: Error) => (error instanceof DiskError ? error.code : error.name);

test('store error: only what the system calls full is full', () => {
  const errors = [
    lmdbError(28, 'No space left on device'),
    lmdbError(122, 'Disk quota exceeded'),
    lmdbError(-30_792, 'MDB_MAP_FULL: Environment mapsize limit reached'),
    new DiskError('EDQUOT', 'values', 'write of values'),
    lmdbError(5, 'Input/output error'),
    new DiskError('EIO', 'values', 'sync of values, which says ENOSPC in its path'),
    new FsError('DAMAGED', 'the index is damaged'),
  ];
  deepEqual(
    errors.map((error) => codeOf(storeError('index', 'write', error))),
    ['ENOSPC', 'ENOSPC', 'ENOSPC', 'ENOSPC', 'EIO', 'EIO', 'FsError'],
  );
});

test('commit error: a write cut short is a full disk; one refused, or a sync that failed, is a failed one', () => {
  const plain = lmdbError(5, 'Input/output error');
  const refused = lmdbError(5, 'Input/output error: Attempting to write page at position 8192, size 4096, blocks 1');
  equal(codeOf(commitError('index', plain, false)), 'ENOSPC');
  equal(codeOf(commitError('index', refused, false)), 'EIO');
  equal(codeOf(commitError('index', plain, true)), 'EIO');
  equal(codeOf(commitError('index', lmdbError(-30_795, 'MDB_PANIC'), true)), 'EIO');
  equal(codeOf(commitError('index', lmdbError(28, 'No space left on device'), true)), 'ENOSPC');
});

function run(command: string, ...args: string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}

function told(command: string, ...args: string[]): string {
  return spawnSync(command, args, { encoding: 'utf8' }).stdout.trim();
}

/** Runs `body` with a folder and a file system mounted in it, or skips the test where nobody may mount one. */
async function withDisk(
  { test, mount }: { test: TestContext; mount: (folder: string, target: string) => boolean },
  body: (folder: string, target: string) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'cairnfs-disk-'));
  const target = join(folder, 'disk');
  await mkdir(target);
  try {
    if (!mount(folder, target)) return test.skip('mounting a small file system needs root and mkfs.ext4');
    try {
      await body(folder, target);
    } finally {
      run('umount', '-l', target); // also where a test that failed has left the store open
    }
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** New keys, so that the store grows. */
function changes(batch: number): StateChange[] {
  return Array.from({ length: 100 }, (_, index) => ({
    key: `k${String(batch).padStart(4, '0')}${String(index).padStart(4, '0')}`,
    value: new Uint8Array(1500).fill(batch),
  }));
}

const mountMemory = (_folder: string, target: string) => run('mount', '-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', target);

test('state store: a disk that is full takes no batch and loses none; with room again it goes on', async (t) => {
  await withDisk({ test: t, mount: mountMemory }, async (_folder, target) => {
    const filler = join(target, 'filler');
    await writeFile(filler, new Uint8Array(MiB));
    const store = await openLmdbStateStore(join(target, 'index'));
    let batch = 0;
    const fill = async () => {
      for (; ; batch += 1) await store.write(changes(batch));
    };
    await rejects(fill(), { name: 'DiskError', code: 'ENOSPC' });
    ok(batch > 1);
    equal(store.get('k00000000')?.[0], 0);
    equal(store.get(changes(batch)[0]!.key), undefined);
    await rm(filler);
    await store.write(changes(batch));
    equal(store.get(changes(batch)[0]!.key)?.[0], batch);
    await store.close();
  });
});

const mountImage = (folder: string, target: string) => {
  const image = join(folder, 'image');
  const options = ['-q', '-O', '^has_journal', image, '32m'];
  return run('mkfs.ext4', ...options) && run('mount', '-o', 'loop', image, target);
};

test('state store: a sync that fails is a failed disk, though the disk is nearly full', async (t) => {
  await withDisk({ test: t, mount: mountImage }, async (folder, target) => {
    const { bavail, bsize } = await statfs(target);
    run('fallocate', '-l', String(bavail * bsize - 3 * MiB), join(target, 'filler'));
    const store = await openLmdbStateStore(join(target, 'index'));
    await store.write(changes(0));
    // The device ends before the file system does: what is written behind that end fails when it is synced.
    const image = join(folder, 'image');
    const device = told('losetup', '-n', '-O', 'NAME', '-j', image);
    await truncate(image, MiB);
    ok(run('losetup', '-c', device));
    await rejects(store.write(changes(1)), { name: 'DiskError', code: 'EIO' });
    await store.close();
  });
});
