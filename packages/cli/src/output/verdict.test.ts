import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import type { ClusterStatus } from '@cairnfs/client';
import { verdict } from './verdict.ts';

const CHUNK = 64 * 2 ** 20;

function statusOf(free: readonly number[], part: object = {}): ClusterStatus {
  const servers = free.map((freeBytes) => ({ live: true, disks: [{ failure: '', freeBytes }] }));
  const repair = { unavailableCount: 0, underReplicatedCount: 0 };
  return { safeMode: false, writable: true, chunkBytes: CHUNK, repair, servers, ...part } as unknown as ClusterStatus;
}

test('verdict: a cluster in which every chunkserver has room for a chunk is healthy', () => {
  equal(verdict(statusOf([CHUNK, CHUNK, CHUNK])), 'healthy');
});

test('verdict: a cluster that takes no more chunks is full, not healthy', () => {
  equal(verdict(statusOf([CHUNK - 1, 0, 0])), 'FULL: no live chunkserver has room for another chunk of 64.0 MiB');
});

test('verdict: some chunkservers without room are told, also during repair', () => {
  const short = '1 of 3 live chunkservers without room for another chunk of 64.0 MiB';
  equal(verdict(statusOf([CHUNK, 0, CHUNK])), `SHORT OF SPACE: ${short}`);
  const repair = { unavailableCount: 0, underReplicatedCount: 2 };
  equal(verdict(statusOf([CHUNK, 0, CHUNK], { repair })), `repairing: 2 chunks below their goal; ${short}`);
});

test('verdict: where nothing can be copied it says how many chunkservers it waits for', () => {
  const repair = { unavailableCount: 0, underReplicatedCount: 1, serversNeeded: 3 };
  const waiting = 'WAITING for chunkservers: 1 chunk below its goal; 2 live, the next copy needs 3';
  equal(verdict(statusOf([CHUNK, CHUNK], { repair })), waiting);
});

test('verdict: a disk that failed has no room, a chunkserver that is away or has told no disks is not called full', () => {
  const room = { live: true, disks: [{ failure: '', freeBytes: CHUNK }] };
  const failed = { live: true, disks: [{ failure: 'EIO', freeBytes: CHUNK }] };
  equal(verdict(statusOf([], { servers: [room, failed] })).startsWith('SHORT OF SPACE: 1 of 2 live'), true);
  equal(verdict(statusOf([], { servers: [room, { live: true, disks: [] }] })), 'healthy');
  const away = { live: false, disks: [{ failure: '', freeBytes: 0 }] };
  equal(verdict(statusOf([], { servers: [room, away] })), 'healthy, with chunkservers missing');
});

test('verdict: what is worse comes first', () => {
  equal(verdict(statusOf([0], { safeMode: true, safeModeReason: '0 of 1' })), 'SAFE MODE: 0 of 1');
  equal(verdict(statusOf([0], { writable: false })), 'READ ONLY: too few chunkservers for the minimum of copies');
  const repair = { unavailableCount: 1, underReplicatedCount: 0 };
  equal(verdict(statusOf([0], { repair })), 'UNHEALTHY: 1 chunk without a copy in reach');
});
