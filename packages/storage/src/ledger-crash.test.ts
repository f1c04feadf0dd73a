import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytesToKey, type Key } from '@cairnfs/base';
import fc from 'fast-check';
import { openLedger } from './ledger.ts';
import { CrashDisk, ManualClock, seededRandom, silentLog } from './testing/crash-disk.ts';
import type { Apply, Ledger, StateView } from './types.ts';

const SIZING = { segmentBytes: 2048, roomAheadBytes: 1024 };
const RECORD_BYTES_MAX = 400;

/** Not idempotent: a record replayed twice or skipped shows. An odd first byte removes, an even one extends the value. */
const apply: Apply = (transaction, record) => {
  const key = bytesToKey(record.subarray(0, 1).map((byte) => byte >> 1));
  if ((record[0]! & 1) === 1) transaction.remove(key);
  else transaction.put(key, Buffer.concat([transaction.get(key) ?? Buffer.alloc(0), record.subarray(1, 4)]));
};

function modelOf(records: readonly Uint8Array[]): Map<Key, string> {
  const state = new Map<Key, Uint8Array>();
  const transaction = {
    readSequence: 0,
    get: (key: Key) => state.get(key),
    range: () => [],
    put: (key: Key, value: Uint8Array) => void state.set(key, value),
    remove: (key: Key) => void state.delete(key),
  };
  for (const [index, record] of records.entries()) apply(transaction, record, index + 1);
  return new Map([...state].map(([key, value]) => [key, Buffer.from(value).toString('hex')]));
}

function stateOf(view: StateView): Map<Key, string> {
  const entries = view.range('\0', '\xfe', 1000);
  return new Map(entries.map(({ key, value }) => [key, Buffer.from(value).toString('hex')]));
}

async function settle(turns: number): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await Promise.resolve();
}

type Step =
  | { kind: 'append'; record: Uint8Array }
  | { kind: 'turns'; count: number }
  | { kind: 'second' }
  | { kind: 'checkpoint' };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      record: fc.uint8Array({ minLength: 1, maxLength: RECORD_BYTES_MAX }).map((r) => {
        r[0]! &= 0x1f;
        return r;
      }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('turns' as const), count: fc.integer({ min: 1, max: 60 }) }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'second' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'checkpoint' as const }) },
);
const life = fc.record({
  steps: fc.array(step, { maxLength: 60 }),
  operations: fc.integer({ min: 1, max: 250 }),
  fates: fc.infiniteStream(fc.nat(5)),
});

test('ledger: over any crashes, no durable record is lost and none is invented', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(life, { minLength: 1, maxLength: 6 }), async (lives) => {
      let disk = new CrashDisk();
      const random = seededRandom(lives.length);
      let records: Uint8Array[] = [];
      let durable = 0;
      for (const { steps, operations, fates } of lives) {
        disk.operationsLeft = operations;
        const clock = new ManualClock();
        const seams = { clock, random, disk, log: silentLog, openStateStore: disk.openStateStore.bind(disk) };
        const options = { directory: '/ledger', apply, format: { name: 'test', version: 1 } };
        let ledger: Ledger | undefined;
        let refusal: unknown;
        openLedger(seams, options, SIZING).then(
          (opened) => {
            ledger = opened;
          },
          (error) => {
            refusal = error;
          },
        );
        await settle(800);
        assert.equal(refusal, undefined);
        if (ledger !== undefined) {
          assert.ok(ledger.lastSequence >= durable, `recovered ${ledger.lastSequence}, durable were ${durable}`);
          assert.ok(ledger.lastSequence <= records.length);
          records = records.slice(0, ledger.lastSequence);
          durable = ledger.durableSequence;
          assert.deepEqual(stateOf(ledger.view()), modelOf(records));
          for (const next of steps) {
            await run(ledger, clock, next);
            durable = Math.max(durable, ledger.durableSequence);
          }
          if (disk.operationsLeft > 0) assert.deepEqual(stateOf(ledger.view()), modelOf(records));
          durable = Math.max(durable, ledger.durableSequence);
        }
        disk = disk.crash((count) => fates.next().value! % count);
      }

      async function run(ledger: Ledger, clock: ManualClock, next: Step): Promise<void> {
        if (next.kind === 'turns') await settle(next.count);
        else if (next.kind === 'second') clock.advance(1000);
        else if (next.kind === 'checkpoint')
          ledger.checkpoint().catch(() => {}); // may meet the crash
        else {
          try {
            ledger.append(next.record);
            records.push(next.record);
          } catch (error) {
            if (!/try again|failed/.test(String(error))) throw error;
          }
        }
      }
    }),
    { numRuns: 400, seed: 20_251_121, includeErrorInReport: true, endOnFailure: true },
  );
});
