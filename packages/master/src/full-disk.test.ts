/** The disk of the master is full: what deletes goes on, over restarts too, and what makes something new is refused. */
import { equal, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { isFsError } from '@cairnfs/base';
import { FileType, MasterMethods } from '@cairnfs/protocol';
import { TestMaster } from './testing/test-master.ts';

const KiB = 1024;
const JOURNAL = { segmentBytes: 64 * KiB, roomAheadBytes: 32 * KiB };

/** No file grows, and the state takes no transaction: no segment of the journal ever comes free. */
function fill(test: TestMaster): void {
  const { disk } = test.simulation.host('master');
  const { totalBytes, freeBytes } = disk.space('data');
  disk.setCapacity('data', totalBytes - freeBytes);
  disk.break({ prefix: 'data/state', operation: 'write', code: 'ENOSPC' });
}

function remove(test: TestMaster, path: string, skipTrash: boolean): Promise<unknown> {
  const request = { path, recursive: false, skipTrash, expectedType: FileType.FILE_TYPE_UNSPECIFIED };
  return test.call(MasterMethods.delete, { ...request, operation: test.operation() });
}

/** @returns how many files were made before the disk was full. */
async function createMany(test: TestMaster): Promise<number> {
  for (let count = 0; ; count += 1) {
    try {
      await test.create(`/file${count}`);
    } catch (error) {
      ok(isFsError(error, 'NO_SPACE'), String(error));
      return count;
    }
  }
}

test('full disk: files are deleted when none can be made, also after any number of starts', async () => {
  const test = await TestMaster.start(3, { journal: JOURNAL });
  const cut = await test.create('/cut');
  fill(test);
  let left = await createMany(test);
  ok(left > 50, `${left}`);
  for (let start = 0; start < 5; start += 1) {
    for (let count = 0; count < 5; count += 1) {
      left -= 1;
      await remove(test, `/file${left}`, count % 2 === 0);
    }
    await test.call(MasterMethods.truncate, test.truncateRequest(cut, start));
    await rejects(test.create('/new'), { kind: 'NO_SPACE' });
    if (start % 2 === 0) await test.crash();
    else await test.restart();
    equal(await test.size(cut), start);
  }
  await rejects(test.create('/new'), { kind: 'NO_SPACE' });
});

test('full disk: with room again, files are made as before', async () => {
  const test = await TestMaster.start(3, { journal: JOURNAL });
  fill(test);
  await createMany(test);
  await remove(test, '/file0', true);
  const { disk } = test.simulation.host('master');
  disk.setCapacity('data', 1024 * 1024 * KiB);
  disk.repair();
  await test.simulation.runFor(3_000);
  await test.create('/asked').catch(() => {}); // tries for room
  await test.simulation.runFor(1_000);
  await test.create('/new');
});
