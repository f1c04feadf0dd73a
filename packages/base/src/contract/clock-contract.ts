import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { type MakeSubject, withSubject } from './subject.ts';

/** Defines the tests that every `Clock` and `Random` must pass. */
export function clockContract(make: MakeSubject): void {
  test(
    'clock: never goes back, and a sleep lasts at least as long as asked',
    withSubject(make, async ({ seams: { clock } }) => {
      const startMs = clock.nowMs();
      await clock.sleep(5);
      // Timers of Node count whole milliseconds, so one may be missing.
      ok(clock.nowMs() - startMs >= 4);
    }),
  );

  test(
    'clock: timers run in the order in which they fall due',
    withSubject(make, async ({ seams: { clock } }) => {
      const order: string[] = [];
      await new Promise<void>((resolve) => {
        // Far apart: a busy machine may stop this process for some time between two of these calls.
        clock.after(500, () => resolve());
        clock.after(400, () => order.push('later'));
        clock.after(1, () => order.push('sooner'));
      });
      deepEqual(order, ['sooner', 'later']);
    }),
  );

  test(
    'clock: a cancelled timer never runs',
    withSubject(make, async ({ seams: { clock } }) => {
      let ran = false;
      const timer = clock.after(1, () => {
        ran = true;
      });
      timer.cancel();
      timer.cancel();
      await clock.sleep(10);
      equal(ran, false);
    }),
  );

  test(
    'clock: what is due soon runs once, after the promises that are settled already',
    withSubject(make, async ({ seams: { clock } }) => {
      const order: string[] = [];
      await new Promise<void>((resolve) => {
        clock.soon(() => {
          order.push('soon');
          clock.soon(resolve);
        });
        order.push('now');
        void Promise.resolve()
          .then(() => {})
          .then(() => order.push('promise'));
      });
      deepEqual(order, ['now', 'promise', 'soon']);
    }),
  );

  test(
    "clock: an aborted sleep rejects with the signal's reason",
    withSubject(make, async ({ seams: { clock } }) => {
      const controller = new AbortController();
      const sleeping = clock.sleep(60_000, controller.signal);
      const reason = new Error('no longer needed');
      controller.abort(reason);
      await rejects(sleeping, reason);
      await rejects(clock.sleep(60_000, controller.signal), reason);
    }),
  );

  test(
    'random: words are unsigned 32-bit numbers and fill their range',
    withSubject(make, async ({ seams: { random } }) => {
      let union = 0;
      for (let index = 0; index < 1000; index++) {
        const word = random.uint32();
        equal(word >>> 0, word);
        union |= word;
      }
      equal(union >>> 0, 0xffff_ffff);
    }),
  );

  test(
    'random: bytes are as many as asked, fresh, and no two draws alike',
    withSubject(make, async ({ seams: { random } }) => {
      for (const length of [0, 1, 3, 16, 5000]) equal(random.bytes(length).length, length);
      const first = random.bytes(16);
      const kept = first.slice();
      const second = random.bytes(16);
      ok(Buffer.compare(first, second) !== 0);
      second.fill(0);
      deepEqual(first, kept);
    }),
  );
}
