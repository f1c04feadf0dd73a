import { deepEqual, match } from 'node:assert/strict';
import { test } from 'node:test';
import type { Violation } from '../checks/violation.ts';
import { HangWatch } from './hang-watch.ts';

const TIMEOUT_MS = 20_000;
const HOST = 'chunkserver-2';

/** From when the disk does not answer: what the server is seen to do, until the fault ends. */
function judged(untilMs: number, seen: readonly (readonly [atMs: number, event: string, fields?: object])[] = []) {
  const violations: Violation[] = [];
  const watch = new HangWatch(TIMEOUT_MS, (violation) => violations.push(violation));
  const heldBack = (atMs: number) => watch.heldBack(7, { atMs, host: HOST, directory: 'disk' });
  heldBack(1000);
  for (const [atMs, event, fields = {}] of seen) {
    if (event === 'held back') heldBack(atMs);
    else watch.logged({ atMs, host: HOST, event, fields: { ...fields } });
  }
  watch.logged({ atMs: untilMs, host: 'fault', event: 'end', fields: { id: 6 } });
  watch.logged({ atMs: untilMs, host: 'fault', event: 'end', fields: { id: 7 } });
  return violations.map(({ summary }) => summary);
}

test('hang watch: a disk that is given up, answers soon enough or has nothing to answer is in order', () => {
  const failed = { directory: 'disk' };
  deepEqual(judged(24_000), []);
  deepEqual(
    judged(40_000, [
      [22_000, 'error disk failed', failed],
      [23_000, 'held back'],
    ]),
    [],
  );
  deepEqual(judged(40_000, [[22_000, 'crash']]), []);
  deepEqual(
    judged(60_000, [
      [22_000, 'crash'],
      [23_000, 'start'],
      [24_000, 'held back'],
      [44_000, 'error disk not in service', failed],
    ]),
    [],
  );
  deepEqual(judged(40_000, [[20_000, 'stall', { durationMs: 15_000 }]]), []);
});

test('hang watch: a server that goes on waiting is a violation, also when it waits anew after a start', () => {
  const [summary] = judged(40_000, [[22_000, 'error disk failed', { directory: 'disk2' }]]);
  match(summary!, /^chunkserver-2 has waited 39 s for disk 'disk', which did not answer/);
  const [anew] = judged(60_000, [
    [22_000, 'error disk failed', { directory: 'disk' }],
    [23_000, 'crash'],
    [24_000, 'start'],
    [25_000, 'held back'],
  ]);
  match(anew!, /has waited 35 s/);
});
