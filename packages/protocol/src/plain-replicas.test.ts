import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { uuidToKey } from '@cairnfs/base';
import { ReplicaCondition, type ReplicaReport } from './gen/cairn/v1/control.ts';
import { PlainReplicas, packReplicas } from './plain-replicas.ts';

const handle = (number: number) => `00000000-0000-4000-80ff-${String(number).padStart(12, '0')}`;

function report(number: number, more: Partial<ReplicaReport> = {}): ReplicaReport {
  const condition = ReplicaCondition.REPLICA_CONDITION_PRESENT;
  const base = { handle: handle(number), version: number, length: 0, message: '', pendingVersion: 0 };
  return { ...base, removed: false, keptVersion: 0, sequence: 0, isLearner: false, condition, ...more };
}

test('plain replicas: what is present with nothing pending is packed, the others stay as they are', () => {
  const corrupt = report(2, { condition: ReplicaCondition.REPLICA_CONDITION_CORRUPT });
  const pending = report(4, { pendingVersion: 9 });
  const packed = packReplicas([report(1), corrupt, report(3), pending]);
  deepEqual(packed.replicas, [corrupt, pending]);
  const plain = new PlainReplicas(packed);
  equal(plain.count, 2);
  deepEqual([plain.report(0), plain.report(1)], [report(1), report(3)]);
});

test('plain replicas: compared with the bytes of a key as their handles are', () => {
  const plain = new PlainReplicas(packReplicas([report(5)]));
  const key = (number: number) => `xx${uuidToKey(handle(number))}`;
  equal(plain.compare(0, key(5), 2), 0);
  ok(plain.compare(0, key(6), 2) < 0);
  ok(plain.compare(0, key(4), 2) > 0);
});

test('plain replicas: too few handles, and handles out of order, are refused', () => {
  const { plainHandles } = packReplicas([report(1), report(2)]);
  throws(() => new PlainReplicas({ plainHandles, plainVersions: [1] }), { kind: 'INVALID_ARGUMENT' });
  for (const reports of [
    [report(2), report(1)],
    [report(1), report(1)],
  ]) {
    throws(() => new PlainReplicas(packReplicas(reports)), { kind: 'INVALID_ARGUMENT' });
  }
});
