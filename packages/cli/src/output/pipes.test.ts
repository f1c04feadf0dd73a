import { deepEqual, equal, rejects } from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { interruptible } from './pipes.ts';

test('interruptible: everything passes, and a failure too', async () => {
  const { signal } = new AbortController();
  async function* input() {
    yield 1;
    yield 2;
    throw new Error('broken');
  }
  const seen: number[] = [];
  const reading = (async () => {
    for await (const value of interruptible(input(), signal)) seen.push(value);
  })();
  await rejects(reading, { message: 'broken' });
  deepEqual(seen, [1, 2]);
});

test('interruptible: a signal ends it while the input gives nothing and does not end', async () => {
  const controller = new AbortController();
  const input = new PassThrough();
  const reading = (async () => {
    for await (const piece of interruptible(input, controller.signal)) {
      equal(String(piece), 'first');
      queueMicrotask(() => controller.abort(new Error('interrupted')));
    }
  })();
  input.write('first');
  await rejects(reading, { message: 'interrupted' });
  const again = interruptible(input, controller.signal);
  await rejects(again.next(), { message: 'interrupted' });
});

test('interruptible: an input that is not read to its end is told so', async () => {
  let isReturned = false;
  async function* input() {
    try {
      for (;;) yield 'more';
    } finally {
      isReturned = true;
    }
  }
  for await (const piece of interruptible(input(), new AbortController().signal)) {
    equal(piece, 'more');
    break;
  }
  equal(isReturned, true);
});
