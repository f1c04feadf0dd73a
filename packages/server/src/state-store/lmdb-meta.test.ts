import { deepEqual, rejects } from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isFsError } from '@cairnfs/base';
import { openLmdbStateStore } from './lmdb-state-store.ts';

const PAGE = 4096;
const DAMAGES: Record<string, (bytes: Buffer) => Buffer> = {
  'zeros all over': (bytes) => bytes.fill(0),
  'noise all over': (bytes) => bytes.fill(0x5a),
  'noise in the first page': (bytes) => bytes.fill(0x5a, 0, PAGE),
  'noise in the second page': (bytes) => bytes.fill(0x5a, PAGE, 2 * PAGE),
  'a wrong page size': (bytes) => bytes.fill(0xff, 48, 52),
  'nothing behind its first bytes': (bytes) => bytes.subarray(0, 100),
  'nothing behind its first pages': (bytes) => bytes.subarray(0, 2 * PAGE),
};

for (const [name, damage] of Object.entries(DAMAGES)) {
  test(`index file: one with ${name} is refused instead of ending the process`, async () => {
    const directory = await mkdtemp(join(tmpdir(), 'cairnfs-index-'));
    try {
      const store = await openLmdbStateStore(directory);
      await store.write([{ key: 'a', value: Buffer.from('1') }]);
      await store.close();
      const again = await openLmdbStateStore(directory);
      deepEqual(Buffer.from(again.get('a')!), Buffer.from('1'));
      await again.close();
      const path = join(directory, 'data.mdb');
      await writeFile(path, damage(await readFile(path)));
      await rejects(openLmdbStateStore(directory), (error) => isFsError(error, 'DAMAGED'));
    } finally {
      await rm(directory, { recursive: true });
    }
  });
}
