import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { EndSignals } from './lifetime.ts';

/** Signals with when they come; answers how often the process ended the hard way. */
function endsHard(heard: readonly (readonly [name: string, atMs: number])[]): number {
  let nowMs = 0;
  let count = 0;
  const signals = new EndSignals({ nowMs: () => nowMs, endHard: () => (count += 1) });
  for (const [name, atMs] of heard) {
    nowMs = atMs;
    signals.heard(name);
    equal((signals.ended.reason as Error).message, heard[0]![0]);
  }
  return count;
}

test('end of life: one Ctrl-C ends cleanly, however often and by whom it is passed on', () => {
  equal(endsHard([['SIGINT', 0]]), 0);
  equal(
    endsHard([
      ['SIGINT', 0],
      ['SIGINT', 3],
      ['SIGTERM', 5],
    ]),
    0,
  );
  equal(
    endsHard([
      ['SIGINT', 0],
      ['SIGTERM', 5000],
    ]),
    0,
  );
});

test('end of life: the same signal again some time later ends the hard way', () => {
  const counts = ['SIGINT', 'SIGTERM'].map((name) =>
    endsHard([
      [name, 0],
      [name, 3],
      [name, 2000],
    ]),
  );
  deepEqual(counts, [1, 1]);
});
