import { equal, match } from 'node:assert/strict';
import { test } from 'node:test';
import { type ErrorCode, FsError } from '@cairnfs/base';
import { CHUNK_BYTES, type PlannedFileCall } from '../schedule/schedule.ts';
import { judgeError, judgeHang } from './liveness.ts';

const FAULTS_END_MS = 60_000;

const isWrong = (kind: ErrorCode, afterMs: number, faultsEndMs = FAULTS_END_MS) => {
  const failure = { client: 'client-1', what: 'operation #1 (read)', error: new FsError(kind, 'failed') };
  return judgeError({ ...failure, atMs: FAULTS_END_MS + afterMs }, faultsEndMs) !== undefined;
};

const isHanging = (call: PlannedFileCall, runningMs: number) => {
  const operation = { id: 24, client: 0, atMs: 0, timeoutMs: 3000, call: { on: 'file', file: 0, call } } as const;
  return judgeHang({ client: 'client-1.2', id: 31, operation }, runningMs) !== undefined;
};

test('liveness: what faults explain is wrong when they are long over, and what nothing explains always', () => {
  equal(isWrong('DEADLINE_EXCEEDED', -1000), false);
  equal(isWrong('DEADLINE_EXCEEDED', 50_000), false);
  equal(isWrong('DEADLINE_EXCEEDED', 61_000), true);
  equal(isWrong('OUTCOME_EXPIRED', 61_000), false);
  equal(isWrong('CHUNK_NOT_FOUND', -1000), true);
  equal(isWrong('NO_SPACE', -50_000, Number.NEGATIVE_INFINITY), true);
});

test('liveness: an operation of many pieces may run for as many times its patience', () => {
  equal(isHanging({ kind: 'appendRecord', length: 10 }, 4000), false);
  equal(isHanging({ kind: 'appendRecord', length: 10 }, 5001), true);
  equal(isHanging({ kind: 'write', offset: 10, length: 2 * CHUNK_BYTES }, 5001), false);
  equal(isHanging({ kind: 'write', offset: 10, length: 2 * CHUNK_BYTES }, 30_000), true);
});

test('liveness: an operation that hangs is named as in the history, with its number in the schedule', () => {
  const call = { on: 'file', file: 0, call: { kind: 'size' } } as const;
  const operation = { id: 24, client: 0, atMs: 0, timeoutMs: 3000, call };
  const { summary, details } = judgeHang({ client: 'client-1.2', id: 31, operation }, 9000)!;
  match(summary, /^client-1\.2: operation #31 \(size\) still runs 5000 ms after /);
  match(details, /^as planned: \{"id":24,/);
});
