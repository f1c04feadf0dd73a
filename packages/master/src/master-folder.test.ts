import { deepEqual, equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import type { Disk } from '@cairnfs/base';
import { Simulation } from '@cairnfs/sim';
import { MASTER_DEFAULTS } from './config.ts';
import { startMaster } from './master.ts';
import { takeFolder } from './master-folder.ts';

async function withFiles(...paths: string[]): Promise<{ simulation: Simulation; disk: Disk }> {
  const simulation = new Simulation({ seed: 1 });
  const { disk } = simulation.host('master').start();
  await simulation.run(async () => {
    for (const path of paths) {
      await disk.makeDirectory('data');
      await (await disk.open(path, 'openOrCreate')).close();
    }
  });
  return { simulation, disk };
}

test("master folder: a new one, an empty one, a master's and one of a first start that was cut short are taken", async () => {
  const cutShort = ['data/lock', 'data/lock.draft', 'data/FORMAT.new', 'data/lost+found'];
  for (const paths of [[], ['data/FORMAT', 'data/notes'], cutShort]) {
    const { simulation, disk } = await withFiles(...paths);
    await simulation.run(takeFolder(disk, 'data'));
    equal((await simulation.run(disk.list('data'))).length, paths.length);
  }
});

test('master folder: foreign files are left alone, and the master refuses to start among them', async () => {
  const { simulation, disk } = await withFiles('data/a', 'data/b', 'data/c', 'data/d');
  const message = /'data': there are files that are no master's \(a, b, c, \.\.\.\): name a folder that is empty/;
  await rejects(simulation.run(takeFolder(disk, 'data')), { kind: 'INVALID_ARGUMENT', message });
  simulation.host('master').crash({ unsynced: 'keep', isSilent: false });
  const seams = simulation.host('master').start();
  const config = { ...MASTER_DEFAULTS, listen: 'master:9000', directory: 'data' };
  await rejects(simulation.run(startMaster(seams, config)), { kind: 'INVALID_ARGUMENT', message });
  deepEqual(await simulation.run(seams.disk.list('data')), ['a', 'b', 'c', 'd']);
});
