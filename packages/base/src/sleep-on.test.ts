import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import type { Timer } from './seams.ts';
import { sleepOn } from './sleep-on.ts';

/** Timers that go off when the test says so. */
class Timers {
  readonly due = new Set<() => void>();

  after(_delayMs: number, callback: () => void): Timer {
    const run = () => {
      this.due.delete(run);
      callback();
    };
    this.due.add(run);
    return { cancel: () => this.due.delete(run) };
  }
}

// Node takes more than ten listeners on a signal for a leak, and says so on the standard error of the user's program.
test('sleep: any number of sleeps under one signal are one listener, and none when all have ended', async () => {
  const timers = new Timers();
  const { signal } = new AbortController();
  const sleeps = Array.from({ length: 100 }, () => sleepOn(timers, 1, signal));
  assert.equal(getEventListeners(signal, 'abort').length, 1);
  for (const run of [...timers.due]) run();
  await Promise.all(sleeps);
  assert.equal(getEventListeners(signal, 'abort').length, 0);
});

test('sleep: an abort ends every sleep under the signal with its reason, and their timers', async () => {
  const timers = new Timers();
  const abort = new AbortController();
  const sleeps = Array.from({ length: 20 }, () => sleepOn(timers, 1, abort.signal));
  abort.abort(new Error('not wanted'));
  const outcomes = await Promise.allSettled(sleeps);
  assert.ok(outcomes.every((outcome) => outcome.status === 'rejected' && outcome.reason === abort.signal.reason));
  assert.equal(timers.due.size, 0);
  await assert.rejects(sleepOn(timers, 1, abort.signal), /not wanted/);
});
