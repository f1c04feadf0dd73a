import { deepEqual, equal, rejects } from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { DiskError } from '@cairnfs/base';
import { RuntimeDisk } from './runtime-disk.ts';

const HOLDER = `
  const { RuntimeDisk } = await import(process.argv[1]);
  await new RuntimeDisk().lock(process.argv[2]);
  process.stdout.write('locked');
  setInterval(() => {}, 1000);
`;

test('lock: a live process keeps it, and its death, however sudden, frees it', () =>
  inDirectory(async (directory) => {
    const path = join(directory, 'lock');
    const module = new URL('./runtime-disk.js', import.meta.url).href;
    const holder = spawn(process.execPath, ['--input-type=module', '-e', HOLDER, module, path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(holder.stdout, 'data');
    await rejects(new RuntimeDisk().lock(path), isBusy);
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    const lock = await new RuntimeDisk().lock(path);
    await rejects(new RuntimeDisk().lock(path), isBusy);
    await lock.release();
    deepEqual(await readdir(directory), ['lock']);
    await new RuntimeDisk().lock(path);
  }));

test('lock: a pid used again by another process does not keep it', () =>
  inDirectory(async (directory) => {
    const path = join(directory, 'lock');
    const disk = new RuntimeDisk();
    await disk.lock(path);
    const owner = JSON.parse(await readFile(path, 'utf8'));
    await rejects(disk.lock(path), isBusy);
    await writeFile(path, JSON.stringify({ ...owner, started: '1' }));
    await disk.lock(path);
    await writeFile(path, JSON.stringify({ ...owner, boot: 'an earlier boot' }));
    await disk.lock(path);
  }));

test('lock: on doubt it is not taken', () =>
  inDirectory(async (directory) => {
    const path = join(directory, 'lock');
    const disk = new RuntimeDisk();
    await disk.lock(path);
    const owner = JSON.parse(await readFile(path, 'utf8'));
    for (const content of [
      '{',
      'null',
      '{"pid":1}',
      JSON.stringify({ ...owner, started: '1', pidNamespace: 'pid:[1]' }),
    ]) {
      await writeFile(path, content);
      await rejects(disk.lock(path), isBusy);
    }
    // A process that died during a takeover leaves the takeover file behind.
    await writeFile(path, JSON.stringify({ ...owner, started: '1' }));
    await writeFile(`${path}.takeover`, JSON.stringify(owner));
    await rejects(disk.lock(path), isBusy);
  }));

test('lock: no power cut leaves a new one without its content', () =>
  inDirectory(async (directory) => {
    const { fsyncSync, linkSync } = fs;
    const synced: string[] = [];
    const named: string[] = [];
    fs.fsyncSync = (descriptor) => {
      const { ino, size } = fs.fstatSync(descriptor);
      synced.push(`${ino} ${size}`);
      fsyncSync(descriptor);
    };
    fs.linkSync = (from, to) => {
      const { ino, size } = fs.statSync(from);
      named.push(`${ino} ${size}`);
      deepEqual(synced, named);
      linkSync(from, to);
    };
    syncBuiltinESMExports();
    try {
      await new RuntimeDisk().lock(join(directory, 'lock'));
      equal(named.length, 1);
    } finally {
      Object.assign(fs, { fsyncSync, linkSync });
      syncBuiltinESMExports();
    }
  }));

test('lock: what power that failed left without content is free', () =>
  inDirectory(async (directory) => {
    const path = join(directory, 'lock');
    for (const content of ['', '\0'.repeat(200)]) {
      await writeFile(path, content);
      await new RuntimeDisk().lock(path);
      await rejects(new RuntimeDisk().lock(path), isBusy);
    }
  }));

test('lock: on a full disk that of a dead owner and one that was released are taken in their place', () =>
  inDirectory(async (directory) => {
    const path = join(directory, 'lock');
    const disk = new RuntimeDisk();
    await disk.lock(path);
    const owner = JSON.parse(await readFile(path, 'utf8'));
    const write = fs.writeFileSync;
    // A name fits, content does not.
    fs.writeFileSync = ((descriptor: number) => {
      write(descriptor, '');
      throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
    }) as typeof fs.writeFileSync;
    syncBuiltinESMExports();
    try {
      await rejects(disk.lock(path), isBusy);
      await writeFile(path, JSON.stringify({ ...owner, started: '1', boot: `${owner.boot} and more` }));
      const lock = await disk.lock(path);
      equal(JSON.parse(await readFile(path, 'utf8')).started, owner.started);
      await rejects(disk.lock(path), isBusy);
      equal((await readdir(directory)).length, 1);
      const { length } = await readFile(path);
      await lock.release();
      equal((await readFile(path)).length, length);
      await disk.lock(path);
      await rejects(disk.lock(path), isBusy);
      equal((await readFile(path)).length, length);
      deepEqual(await readdir(directory), ['lock']);
      await rejects(disk.lock(join(directory, 'new')), { code: 'ENOSPC' });
      deepEqual(await readdir(directory), ['lock']);
    } finally {
      fs.writeFileSync = write;
      syncBuiltinESMExports();
    }
  }));

function isBusy(error: unknown): boolean {
  return error instanceof DiskError && error.code === 'EBUSY';
}

async function inDirectory(body: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'cairnfs-lock-'));
  try {
    await body(directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}
