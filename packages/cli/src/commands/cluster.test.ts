import { doesNotMatch, match } from 'node:assert/strict';
import { test } from 'node:test';
import type { ClusterStatus } from '@cairnfs/client';
import { describeStatus } from './cluster.ts';

const SERVER = {
  serverId: 7,
  address: 'here:1',
  host: 'h',
  rack: 'r',
  live: true,
  silentMs: 0,
  deadSinceMs: 0,
  usage: { cpuUsedRatio: 0.25, processMemoryBytes: 2 ** 20 },
  disks: [],
  replicaCount: 3,
};

function statusWith(server: object): string {
  const repair = { underReplicatedCount: 1, copyingCount: 0, copiedCount: 0, copiedBytes: 0, unavailableCount: 0 };
  const totals = {
    clusterId: 'c',
    startedMs: 0,
    processMemoryBytes: 0,
    fileCount: 1,
    directoryCount: 0,
    chunkCount: 1,
    trashCount: 0,
  };
  const status = {
    ...totals,
    chunkBytes: 1,
    writable: true,
    servers: [{ ...SERVER, ...server }],
    repair: { ...repair, garbageCount: 0 },
    problems: [],
  };
  return describeStatus(status as unknown as ClusterStatus);
}

test('status: what a dead chunkserver told of its cpu and memory is not shown', () => {
  match(statusWith({}), /live +25% +1\.0 MiB/);
  const dead = statusWith({ live: false, deadSinceMs: 1 });
  match(dead, /dead since/);
  doesNotMatch(dead, /25%|1\.0 MiB/);
});

test('status: one chunk is below its goal, several below theirs', () => {
  match(statusWith({}), /^repair +1 chunk below its goal, 0 being copied/m);
});
