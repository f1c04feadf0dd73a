import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { type Clock, momentOf } from '@cairnfs/base';
import { ServerLease } from './server-lease.ts';

const LEASE_MS = 10_000;

/**
 * Holds so long after the answer, when the machine slept for so long of it: then only the calendar went on. It may have slept
 * before the answer was read as well.
 */
function holdsAfter(passedMs: number, { sleptMs = 0, sleptBeforeMs = 0, setByMs = 0 } = {}): boolean {
  const now = { ms: 5000, wallMs: 1_000_000 };
  const clock = { nowMs: () => now.ms, wallMs: () => now.wallMs } as Clock;
  const lease = new ServerLease(clock);
  const late = momentOf(clock);
  now.ms += 1000;
  now.wallMs += 1000;
  const sent = momentOf(clock);
  now.ms += 1000; // the answer took a second
  now.wallMs += 1000 + sleptBeforeMs;
  lease.renew(sent, LEASE_MS);
  lease.renew(late, LEASE_MS); // one that was late does not shorten it
  now.ms += passedMs - sleptMs;
  now.wallMs += passedMs + setByMs;
  return lease.holds() && lease.leftMs() > 0;
}

test('server lease: it ends by the clock, and by the calendar of a machine that slept', () => {
  deepEqual([holdsAfter(8999), holdsAfter(9000)], [true, false]);
  deepEqual([holdsAfter(8999, { sleptMs: 8000 }), holdsAfter(9000, { sleptMs: 8000 })], [true, false]);
  deepEqual([holdsAfter(3999, { sleptBeforeMs: 5000 }), holdsAfter(4000, { sleptBeforeMs: 5000 })], [true, false]);
  const setBack = { setByMs: -3_600_000 };
  deepEqual([holdsAfter(8999, setBack), holdsAfter(9000, setBack)], [true, false]);
});
