import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import type { ClusterStatus } from '@cairnfs/client';
import { outOfSafeMode } from './fsck.ts';

/** A master that is in safe mode for so many looks; each look takes a second. */
function waiting(looksInSafeMode: number) {
  let looks = 0;
  const told: string[] = [];
  const clusterStatus = async () => {
    looks += 1;
    return { safeMode: looks <= looksInSafeMode, safeModeReason: '1 of 3 told' } as ClusterStatus;
  };
  const options = {
    timeoutMs: 5000,
    signal: new AbortController().signal,
    nowMs: () => looks * 1000,
    pause: async () => {},
    tell: (line: string) => told.push(line),
  };
  return { told, status: () => outOfSafeMode({ clusterStatus }, options) };
}

test('fsck: it waits for the end of safe mode, and says so once', async () => {
  const { told, status } = waiting(3);
  equal((await status()).safeMode, false);
  deepEqual(told, ['safe mode: 1 of 3 told; waiting for 5s at most (--timeout)']);
});

test('fsck: outside safe mode it begins in silence', async () => {
  const { told, status } = waiting(0);
  equal((await status()).safeMode, false);
  deepEqual(told, []);
});

test('fsck: it gives up when the time is over', async () => {
  const { status } = waiting(1000);
  equal((await status()).safeMode, true);
});
