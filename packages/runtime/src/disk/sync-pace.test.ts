import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { QUICK_SYNC_BYTES_MAX, QUICK_SYNC_MS_MAX, QUICK_SYNCS_IN_ROW } from '../limits.ts';
import { SyncPace } from './sync-pace.ts';

function quickPace(): SyncPace {
  const pace = new SyncPace();
  for (let count = 0; count < QUICK_SYNCS_IN_ROW; count += 1) {
    equal(pace.isQuick(0), false);
    pace.took(QUICK_SYNC_MS_MAX);
  }
  return pace;
}

test('sync pace: on the spot after some quick syncs in a row', () => {
  equal(quickPace().isQuick(QUICK_SYNC_BYTES_MAX), true);
});

test('sync pace: many bytes go to the pool', () => {
  equal(quickPace().isQuick(QUICK_SYNC_BYTES_MAX + 1), false);
});

test('sync pace: one slow sync sends those after it to the pool again', () => {
  const pace = quickPace();
  pace.took(QUICK_SYNC_MS_MAX * 2);
  equal(pace.isQuick(0), false);
  pace.took(0.1);
  equal(pace.isQuick(0), false);
});
