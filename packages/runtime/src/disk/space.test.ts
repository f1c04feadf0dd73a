import { equal, ok } from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { RuntimeDisk } from './runtime-disk.ts';

test('disk: folders on one file system tell that it is one', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'cairn-space-'));
  try {
    const [a, b] = [join(directory, 'a'), join(directory, 'b')];
    for (const path of [a, b]) mkdirSync(path);
    const disk = new RuntimeDisk();
    const { fileSystem, freeBytes, totalBytes } = await disk.space(a);
    equal((await disk.space(b)).fileSystem, fileSystem);
    equal(fileSystem, String(statSync(directory).dev));
    ok(freeBytes <= totalBytes);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
