import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { MasterMethods } from '@cairnfs/protocol';
import { TestMaster } from '../testing/test-master.ts';

test('statistics: what is stored, who is in touch, what was called', async () => {
  const master = await TestMaster.start(3);
  await master.upload('/d/file', [{ offset: 0, length: 10 }]);
  const inode = await master.create('/log');
  await master.append(inode, 5);
  await master.call(MasterMethods.stat, { file: { path: '/none', inode: 0 } }).catch(() => undefined);
  const statistics = master.statistics();
  const { fileCount, chunkCount, liveServers, deadServers, health } = statistics;
  deepEqual([fileCount, chunkCount, liveServers, deadServers], [2, 2, 3, 0]);
  deepEqual([health.writable, health.safeModeReason], [true, '']);
  ok(statistics.ledger.journalBytes > 0);
  ok(statistics.ledger.segmentCount > 0);
  const { methods, connectionCount, receivedBytes, sentBytes } = statistics.rpc;
  const stat = methods.find(({ method }) => method === 'Master.Stat')!;
  deepEqual([stat.count, stat.errors], [1, [{ kind: 'NOT_FOUND', count: 1 }]]);
  equal(
    stat.durationCounts.reduce((sum, count) => sum + count, 0),
    1,
  );
  ok(connectionCount >= 4);
  ok(receivedBytes > 0 && sentBytes > 0);
});

test('statistics: a master without chunkservers is in safe mode and not writable', async () => {
  const { health } = (await TestMaster.start(0)).statistics();
  deepEqual([health.writable, health.safeModeReason], [false, 'no chunkserver has reported yet what it holds']);
});
