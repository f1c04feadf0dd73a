import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import type { OperationId } from '@cairnfs/protocol';
import { OPERATION_SPAN_MAX } from '../limits.ts';
import { OperationIds } from './operation-ids.ts';

/** Operations that end when the test says so. */
function begun() {
  let clients = 0;
  const ids = new OperationIds({ uint32: () => 0, bytes: (length) => new Uint8Array(length).fill(++clients) });
  const begin = () => {
    let operation!: OperationId;
    let end!: () => void;
    const ended = ids.use((given) => {
      operation = given;
      return new Promise<void>((resolve) => (end = resolve));
    });
    const { client, number, settledBelow } = operation;
    return {
      of: `${client[0]}.${number}`,
      settledBelow,
      end: () => {
        end();
        return ended;
      },
    };
  };
  return begin;
}

test('operation ids: numbers are given in order, and what is settled is told', async () => {
  const begin = begun();
  const [first, second] = [begin(), begin()];
  await second.end();
  const third = begin();
  await first.end();
  const fourth = begin();
  deepEqual(
    [first, second, third, fourth].map(({ of, settledBelow }) => `${of} ${settledBelow}`),
    ['1.1 1', '1.2 1', '1.3 1', '1.4 3'],
  );
});

test('operation ids: none falls out of what servers remember, however many overtake it', async () => {
  const begin = begun();
  const slow = begin();
  for (let count = 1; count < OPERATION_SPAN_MAX; count += 1) await begin().end();
  const others = Array.from({ length: OPERATION_SPAN_MAX }, begin);
  deepEqual([others[0]!.of, others.at(-1)!.of], ['2.1', `2.${OPERATION_SPAN_MAX}`]);
  const more = begin();
  equal(more.of, '3.1');
  await Promise.all([slow, more].map(({ end }) => end()));
  // As the same client again, once there is room.
  const next = begin();
  equal(next.of, `1.${OPERATION_SPAN_MAX + 1}`);
  ok(next.settledBelow === OPERATION_SPAN_MAX + 1);
});
