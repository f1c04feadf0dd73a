import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drawer, drawHistory, explainedByBruteForce } from './brute-force.ts';
import { check, checkParts } from './checker.ts';
import type { Interval, Model } from './model.ts';
import { appends, type Call, queue, register } from './sample-models.ts';

type Timed = readonly [begin: number, end: number, operation: Call];

function history(...timed: Timed[]): Interval<Call>[] {
  return timed.map(([begin, end, operation]) => ({
    operation,
    begin,
    end,
    isOptional: end === Number.POSITIVE_INFINITY,
  }));
}

const NEVER = Number.POSITIVE_INFINITY;
const put = (value: number): Call => ({ kind: 'put', value });
const get = (value: number): Call => ({ kind: 'get', value });

test('register: reads that overlap a write may see the old value or the new one', () => {
  assert.equal(check(register, history([1, 6, put(1)], [2, 3, get(0)], [4, 5, get(1)])).kind, 'ok');
});

test('register: a read after the end of a write does not see the old value', () => {
  const verdict = check(register, history([1, 2, put(1)], [3, 4, get(0)]));
  assert.deepEqual(verdict, { kind: 'violation', prefix: [0], stuck: [1] });
});

test('register: once a read saw the new value no later read sees the old one', () => {
  assert.equal(check(register, history([1, 6, put(1)], [2, 3, get(1)], [4, 5, get(0)])).kind, 'violation');
});

test('register: two readers do not see two writes in opposite orders', () => {
  const writes = [
    [1, 20, put(1)],
    [1, 20, put(2)],
  ] as const;
  assert.equal(check(register, history(...writes, [2, 3, get(1)], [4, 5, get(2)])).kind, 'ok');
  assert.equal(check(register, history(...writes, [2, 3, get(1)], [4, 5, get(2)], [6, 7, get(1)])).kind, 'violation');
});

test('optional: an unknown write takes effect late, or never, but not before its begin and not twice', () => {
  assert.equal(check(register, history([1, NEVER, put(1)], [2, 3, get(0)], [4, 5, get(1)])).kind, 'ok');
  assert.equal(check(register, history([1, NEVER, put(1)], [2, 3, get(0)], [4, 5, get(0)])).kind, 'ok');
  assert.equal(check(register, history([1, 2, get(1)], [3, NEVER, put(1)])).kind, 'violation');
  const twice = history([1, NEVER, put(1)], [2, 3, get(1)], [4, 5, put(2)], [6, 7, get(1)]);
  assert.equal(check(register, twice).kind, 'violation');
});

test('after: of two intervals under way at once the named one comes first', () => {
  const pair = history([1, 10, put(1)], [1, 10, put(2)], [11, 12, get(1)]);
  assert.equal(check(register, pair).kind, 'ok');
  assert.equal(check(register, [pair[0]!, { ...pair[1]!, after: [0] }, pair[2]!]).kind, 'violation');
});

test('appends: the offset told to a writer is the length before', () => {
  const append = (value: number, offset: number): Call => ({ kind: 'append', value, offset });
  assert.equal(check(appends, history([1, 4, append(7, 1)], [2, 3, append(8, 0)])).kind, 'ok');
  assert.equal(check(appends, history([1, 4, append(7, 0)], [2, 3, append(8, 0)])).kind, 'violation');
  assert.equal(check(appends, history([1, 2, append(7, 1)], [3, 4, append(8, 0)])).kind, 'violation');
});

test('queue: what was put first comes out first', () => {
  const take = (value: number): Call => ({ kind: 'take', value });
  assert.equal(check(queue, history([1, 2, put(1)], [3, 4, put(2)], [5, 8, take(2)], [6, 7, take(1)])).kind, 'ok');
  assert.equal(check(queue, history([1, 2, put(1)], [3, 4, put(2)], [5, 6, take(2)])).kind, 'violation');
  assert.equal(check(queue, history([1, 4, put(1)], [2, 3, put(2)], [5, 6, take(2)])).kind, 'ok');
});

test('model: one that allows several outcomes is explained by any of them', () => {
  const coin: Model<number, Call> = {
    initial: 0,
    step: (state, call) => (call.kind === 'put' ? [1, 2] : state === call.value ? [state] : undefined),
    key: (state) => state,
    isObserver: (call) => call.kind === 'get',
  };
  assert.equal(check(coin, history([1, 2, put(0)], [3, 4, get(2)])).kind, 'ok');
  assert.equal(check(coin, history([1, 2, put(0)], [3, 4, get(2)], [5, 6, get(1)])).kind, 'violation');
});

test('work: a history that would take too long is undecided', () => {
  const writes = Array.from({ length: 24 }, (_, index) => [1, 100, put(index % 2)] as const);
  assert.equal(
    check(appends, history(...writes, [101, 102, { kind: 'length', value: 9 }]), { stepsMax: 2000 }).kind,
    'undecided',
  );
});

test('parts: a violation in one of them is named by its place in the whole', () => {
  const all = history([1, 2, put(1)], [1, 2, put(12)], [3, 4, get(12)], [5, 6, get(3)]);
  const verdict = checkParts(register, all, ({ value }) => (value > 10 ? 'high' : 'low'));
  assert.deepEqual(verdict, { kind: 'violation', prefix: [0], stuck: [3] });
  assert.equal(checkParts(register, all.slice(0, 3), ({ value }) => (value > 10 ? 'high' : 'low')).kind, 'ok');
});

function compare<S>(model: Model<S, Call>, kinds: readonly Call['kind'][]): void {
  const counts = { ok: 0, violation: 0 };
  for (let seed = 1; seed <= 3000; seed += 1) {
    const intervals = drawHistory(drawer(seed), kinds);
    const expected = explainedByBruteForce(model, intervals) ? 'ok' : 'violation';
    assert.equal(check(model, intervals).kind, expected, `seed ${seed}: ${JSON.stringify(intervals)}`);
    counts[expected] += 1;
  }
  assert.ok(counts.ok > 300 && counts.violation > 300, JSON.stringify(counts));
}

test('register: 3000 small histories are judged as by trying every order', () => compare(register, ['put', 'get']));
test('appends: 3000 small histories are judged as by trying every order', () => compare(appends, ['append', 'length']));
test('queue: 3000 small histories are judged as by trying every order', () => compare(queue, ['put', 'take']));
