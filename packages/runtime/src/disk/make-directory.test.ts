import { deepEqual, equal, rejects } from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { makeDirectory } from './make-directory.ts';
import { RuntimeDisk } from './runtime-disk.ts';

const directory = mkdtempSync(join(tmpdir(), 'cairn-make-directory-'));
after(() => rmSync(directory, { recursive: true, force: true }));

test('directory: made with what is missing above it, also by several at once, and accepted when it is there', async () => {
  const path = join(directory, 'a', 'b', 'c');
  await Promise.all([makeDirectory(path, 0o750), makeDirectory(`${path}/`, 0o750), makeDirectory(path, 0o750)]);
  await makeDirectory(path);
  deepEqual([statSync(path).isDirectory(), statSync(join(directory, 'a')).mode & 0o777], [true, 0o750]);
  for (const there of ['/', '.', directory]) await makeDirectory(there);
});

test('directory: a file in its place or in its way is refused', async () => {
  const file = join(directory, 'file');
  writeFileSync(file, 'kept');
  await rejects(makeDirectory(file), { code: 'EEXIST' });
  await rejects(makeDirectory(join(file, 'below')), { code: 'ENOTDIR' });
});

test('directory: where none can be made the attempt ends', { skip: !existsSync('/proc/self') }, async () => {
  await rejects(makeDirectory('/proc/cairn'), { code: 'ENOENT' });
  await rejects(makeDirectory('/proc/cairn/below'), { code: 'ENOENT' });
  await rejects(new RuntimeDisk().makeDirectory('/proc/cairn/below'), { code: 'ENOENT', path: '/proc/cairn/below' });
  equal(existsSync('/proc/cairn'), false);
});
