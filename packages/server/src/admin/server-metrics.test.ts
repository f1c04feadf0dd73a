import { deepEqual, match, ok } from 'node:assert/strict';
import { test } from 'node:test';
import type { ChunkserverStatistics } from '@cairnfs/chunkserver';
import type { MasterStatistics } from '@cairnfs/master';
import type { RpcStatistics } from '@cairnfs/protocol';
import { chunkserverFamilies } from './chunkserver-metrics.ts';
import { masterFamilies } from './master-metrics.ts';
import { ServerMetrics } from './server-metrics.ts';

const rpc: RpcStatistics = {
  methods: [
    {
      ...{ method: 'Master.Stat', count: 3, errorCount: 1, errors: [{ kind: 'NOT_FOUND', count: 1 }] },
      ...{ totalMicroseconds: 2500, durationCounts: [2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] },
    },
    {
      ...{ method: 'Master.Remove', count: 0, errorCount: 0, errors: [] },
      ...{ totalMicroseconds: 0, durationCounts: new Array<number>(13).fill(0) },
    },
  ],
  ...{ receivedBytes: 10, sentBytes: 20, connectionCount: 2 },
};

const ledger: MasterStatistics['ledger'] = {
  ...{ journalBytes: 1, segmentCount: 2, undurableRecords: 3, unfoldedRecords: 4 },
  ...{ overlayEntries: 5, overlayBytes: 6, stateBytes: 7 },
};

const master: MasterStatistics = {
  health: { clusterId: 'c', writable: true, safeModeReason: '' },
  ...{ fileCount: 5, directoryCount: 2, chunkCount: 6, trashCount: 1, liveServers: 2, deadServers: 1, heldLeases: 4 },
  repair: {
    ...{ underReplicatedCount: 3, unavailableCount: 0, copyingCount: 1, copiedCount: 9, copiedBytes: 900 },
    ...{ garbageCount: 2, serversNeeded: 0 },
  },
  ...{ failedCopies: 1, directory: '/m', ledger, rpc },
};

const lost = { usedBytes: 0, freeBytes: 0, largeChunks: 0, smallChunks: 0, ledger: undefined };
const chunkserver: ChunkserverStatistics = {
  holdsServerLease: true,
  disks: [
    { directory: '/a', hasFailed: false, usedBytes: 100, freeBytes: 50, largeChunks: 1, smallChunks: 2, ledger },
    { directory: '/b "x"', hasFailed: true, ...lost },
  ],
  corruptBlocksFound: 1,
  quarantined: { movedAside: 2, deleted: 1 },
  reads: { count: 3, bytes: 300 },
  mutations: { count: 4, bytes: 400 },
  uploadFrames: { count: 5, bytes: 500 },
  rpc,
};

test('metrics: names and types follow the conventions of Prometheus, each once and with a help', () => {
  for (const families of [masterFamilies, chunkserverFamilies]) {
    const names = families.map(({ name }) => name);
    deepEqual([...new Set(names)], names);
    for (const { name, type, help } of families) {
      match(name, /^cairn_(master|chunkserver|rpc|journal|state)_[a-z_]*[a-z]$/);
      ok(name.endsWith('_total') === (type === 'counter'), `${name} is a ${type}`);
      match(help, /^[01A-Z].{15,}\.$/);
    }
  }
});

test('metrics: what a master counts, read when asked for', async () => {
  let files = 5;
  const metrics = new ServerMetrics(masterFamilies, () => ({ ...master, fileCount: files }));
  const lines = new Set((await metrics.text()).split('\n'));
  for (const line of [
    '# TYPE cairn_master_files gauge',
    'cairn_master_files 5',
    'cairn_master_chunkservers{state="live"} 2',
    'cairn_master_chunkservers{state="dead"} 1',
    'cairn_master_safe_mode 0',
    'cairn_master_under_replicated_chunks 3',
    'cairn_master_repairs_total 9',
    'cairn_journal_unfolded_records{directory="/m"} 4',
    'cairn_rpc_calls_total{method="Master.Remove"} 0',
    'cairn_rpc_errors_total{method="Master.Stat",code="NOT_FOUND"} 1',
    '# TYPE cairn_rpc_duration_seconds histogram',
    'cairn_rpc_duration_seconds_bucket{method="Master.Stat",le="0.0005"} 2',
    'cairn_rpc_duration_seconds_bucket{method="Master.Stat",le="0.001"} 3',
    'cairn_rpc_duration_seconds_bucket{method="Master.Stat",le="+Inf"} 3',
    'cairn_rpc_duration_seconds_sum{method="Master.Stat"} 0.0025',
    'cairn_rpc_duration_seconds_count{method="Master.Stat"} 3',
  ]) {
    ok(lines.has(line), line);
  }
  files = 4;
  const later = (await metrics.text()).split('\n');
  ok(later.includes('cairn_master_files 4'));
  ok(later.includes('cairn_master_repairs_total 9'), 'counters do not add up over scrapes');
});

test('metrics: what a chunkserver counts, disk by disk; a lost disk has no journal', async () => {
  const lines = new Set((await new ServerMetrics(chunkserverFamilies, () => chunkserver).text()).split('\n'));
  for (const line of [
    'cairn_chunkserver_server_lease_held 1',
    'cairn_chunkserver_disk_up{directory="/a"} 1',
    'cairn_chunkserver_disk_up{directory="/b \\"x\\""} 0',
    'cairn_chunkserver_chunks{directory="/a",size="small"} 2',
    'cairn_chunkserver_chunks{directory="/a",size="large"} 1',
    'cairn_chunkserver_read_bytes_total 300',
    'cairn_journal_bytes{directory="/a"} 1',
  ]) {
    ok(lines.has(line), line);
  }
  ok(![...lines].some((line) => line.startsWith('cairn_journal_bytes{directory="/b')));
});

test('metrics: while the server starts there are those of the process alone', async () => {
  const text = await new ServerMetrics<MasterStatistics>(masterFamilies, () => undefined).text();
  match(text, /^process_resident_memory_bytes \d+$/m);
  ok(!text.includes('cairn_'));
});
