import { deepEqual, equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { OPERATION_MEMORY_MS, OPERATION_WINDOW } from '@cairnfs/protocol';
import { OPERATION_HEADER_KEPT_MS } from '../limits.ts';
import { allOperationsRange } from '../state/keys.ts';
import { TestNamespace } from '../testing/test-namespace.ts';
import { once, sweepOperations } from './operations.ts';

const kind = (name: string) => (error: { kind?: string }) => error.kind === name;

/** Operations whose result is how many were applied before them. */
class Counter {
  readonly namespace: TestNamespace;
  applied = 0;

  private constructor(namespace: TestNamespace) {
    this.namespace = namespace;
  }

  static async start(): Promise<Counter> {
    return new Counter(await TestNamespace.start());
  }

  apply(number: number, { settledBelow = 0, method = 1, client = 7 } = {}): Promise<number> {
    return this.namespace.do((transaction) =>
      once(
        transaction,
        {
          ...{ operation: { client: new Uint8Array(16).fill(client), number, settledBelow }, method },
          atMs: this.namespace.calendar.nowMs(),
          reply: {
            encode: (value: number) => ({ finish: () => new Uint8Array([value & 0xff, value >> 8]) }),
            decode: (bytes: Uint8Array) => bytes[0]! + bytes[1]! * 256,
          } as never,
        },
        () => {
          this.applied += 1;
          return this.applied;
        },
      ),
    );
  }

  async sweep(): Promise<void> {
    let cursor = '';
    do {
      cursor = await this.namespace.do((transaction) =>
        sweepOperations(transaction, cursor, (atMs) => this.namespace.calendar.ageMs(atMs)),
      );
    } while (cursor !== '');
  }

  entryCount(): number {
    return this.namespace.read((transaction) => transaction.range(allOperationsRange, 100_000).length);
  }
}

test('operation: a number is applied once, for each client, and answers no other method', async () => {
  const counter = await Counter.start();
  deepEqual([await counter.apply(1), await counter.apply(2), await counter.apply(1)], [1, 2, 1]);
  equal(await counter.apply(1, { client: 8 }), 3);
  await rejects(counter.apply(1, { method: 2 }), kind('INVALID_ARGUMENT'));
  await counter.namespace.crash();
  equal(await counter.apply(2), 2);
});

test('operation: two at once are applied once, and both wait until it is durable', async () => {
  const counter = await Counter.start();
  const both = [counter.apply(1), counter.apply(1)];
  deepEqual(await Promise.all(both), [1, 1]);
  equal(counter.applied, 1);
});

test('operation: what the client has settled is forgotten, and refused when it comes again', async () => {
  const counter = await Counter.start();
  for (let number = 1; number <= 200; number += 1) await counter.apply(number, { settledBelow: number });
  equal(counter.entryCount() < 100, true);
  await rejects(counter.apply(1), kind('OUTCOME_EXPIRED'));
  equal(await counter.apply(200), 200);
  // An operation still open at the client holds the ones behind it.
  for (let number = 201; number <= 400; number += 1) await counter.apply(number, { settledBelow: 201 });
  equal(await counter.apply(201, { settledBelow: 201 }), 201);
});

test('operation: a client that settles nothing has its newest results kept, and no more', async () => {
  const counter = await Counter.start();
  const count = OPERATION_WINDOW + 200;
  for (let number = 1; number <= count; number += 1) await counter.apply(number * 3);
  equal(counter.entryCount() <= OPERATION_WINDOW + 1, true);
  await rejects(counter.apply(3), kind('OUTCOME_EXPIRED'));
  equal(await counter.apply(count * 3), count);
  equal(await counter.apply((count - 900) * 3), count - 900);
  equal(counter.applied, count);
});

test('operation: an old result is forgotten, refused for as long as anyone may ask, and leaves nothing behind', async () => {
  const counter = await Counter.start();
  for (let number = 1; number <= 700; number += 1) await counter.apply(number, { client: (number % 5) + 1 });
  const { simulation } = counter.namespace;
  await simulation.runFor(OPERATION_MEMORY_MS - 60_000);
  await counter.apply(1000, { client: 1 });
  await counter.sweep();
  equal(counter.entryCount(), 5 + 701);
  await simulation.runFor(61_000);
  await counter.sweep();
  equal(counter.entryCount(), 5 + 1);
  await rejects(counter.apply(700, { client: 1 }), kind('OUTCOME_EXPIRED'));
  await rejects(counter.apply(2, { client: 3 }), kind('OUTCOME_EXPIRED'));
  equal(await counter.apply(1000, { client: 1 }), 701);
  await simulation.runFor(OPERATION_HEADER_KEPT_MS + OPERATION_MEMORY_MS);
  await counter.sweep();
  await counter.sweep();
  equal(counter.entryCount(), 0);
});

test('operation: a calendar that is set ahead makes no result old, neither at once nor after a restart', async () => {
  const counter = await Counter.start();
  const { namespace } = counter;
  const host = namespace.simulation.host('master');
  await counter.apply(1);
  host.adjustClock({ wallOffsetMs: 30 * OPERATION_HEADER_KEPT_MS });
  await counter.sweep();
  await counter.sweep();
  equal(await counter.apply(1), 1);
  await namespace.crash();
  await counter.sweep();
  await counter.sweep();
  equal(await counter.apply(1), 1);
  host.adjustClock({ wallOffsetMs: 0 });
  await namespace.crash();
  await namespace.simulation.runFor(OPERATION_MEMORY_MS + 60_000);
  await counter.sweep();
  await rejects(counter.apply(1), kind('OUTCOME_EXPIRED'));
});
