import assert from 'node:assert/strict';
import { test } from 'node:test';
import { contentOf } from '../history/content.ts';
import type { FileOperation } from '../history/file-calls.ts';
import { checkAppends, isOnlyAppendedTo } from './appends.ts';
import { checkMonotonic } from './monotonic.ts';
import { checkPrimaries, type Served } from './primaries.ts';
import { checkRefusals } from './refusals.ts';
import { type ChunkAtEnd, checkReplicas } from './replicas.ts';
import { checkRetries, type RetriedMutation } from './retries.ts';
import type { Violation } from './violation.ts';

const summaries = (violations: readonly Violation[]) => violations.map(({ summary }) => summary);

function appended(id: number, client: string, told: number | 'unknown' | 'failed'): FileOperation {
  const call = { kind: 'appendRecord', writeId: id, length: 100 } as const;
  const base = { id, client, call, begin: 2 * id };
  if (told === 'unknown') return { ...base, end: Number.POSITIVE_INFINITY, outcome: { kind: 'unknown' } };
  if (told === 'failed') return { ...base, end: 2 * id + 1, outcome: { kind: 'failed', code: 'ENOSPC' } };
  return { ...base, end: 2 * id + 1, outcome: { kind: 'ok', result: { offset: told } } };
}

const file = (...writeIds: number[]) => Buffer.concat(writeIds.map((id) => contentOf(id, 100)));
const judged = (operations: FileOperation[], content: Uint8Array) => summaries(checkAppends('/f', operations, content));

test('appends: each acknowledged record once where it was told, unknown ones once or not at all', () => {
  const operations = [
    appended(1, 'a', 0),
    appended(2, 'b', 'unknown'),
    appended(3, 'a', 200),
    appended(4, 'b', 'unknown'),
  ];
  assert.deepEqual(judged(operations, file(1, 2, 3)), []);
  assert.deepEqual(judged([appended(1, 'a', 0), appended(2, 'a', 'failed')], file(1)), []);
});

test('refusals: a file that keeps its name is never refused; what is not known is no refusal', () => {
  const operations = [appended(1, 'a', 0), appended(2, 'b', 'unknown'), appended(3, 'a', 'failed')];
  const found = checkRefusals('/f', operations);
  assert.deepEqual(summaries(found), ['/f: appendRecord was refused with ENOSPC, and the file was there all the time']);
});

test('appends: the first byte of a record is not taken for a whole one of a single byte', () => {
  const first = (id: number) => contentOf(id, 1)[0];
  const long = appended(1, 'a', 0);
  let id = 2;
  while (first(id) !== first(1)) id += 1;
  const short = appended(id, 'b', 'unknown');
  const operations = [{ ...short, call: { kind: 'appendRecord', writeId: id, length: 1 } } as const, long];
  assert.deepEqual(judged(operations, file(1)), []);
});

test('appends: a record that is lost, twice, torn, moved, refused or out of order is found', () => {
  const [first, second] = [appended(1, 'a', 0), appended(2, 'a', 100)];
  assert.deepEqual(judged([first, second], file(1)), ['/f: an acknowledged record is lost']);
  assert.deepEqual(judged([first, second], file(1, 2, 2)), ['/f: no record is whole at 200']);
  assert.deepEqual(judged([first], file(1).subarray(0, 99)), [
    '/f: no record is whole at 0',
    '/f: an acknowledged record is lost',
  ]);
  assert.deepEqual(judged([first], Buffer.concat([file(1), Buffer.alloc(10)])), ['/f: no record is whole at 100']);
  assert.deepEqual(judged([appended(1, 'a', 100), appended(2, 'b', 0)], file(1, 2)), [
    '/f: a record is not where its writer was told',
    '/f: a record is not where its writer was told',
  ]);
  assert.deepEqual(judged([appended(1, 'a', 100), appended(2, 'a', 0)], file(2, 1)), [
    '/f: records of a are out of order',
  ]);
  assert.deepEqual(judged([first, appended(2, 'b', 'failed')], file(1, 2)), ['/f: a refused record is at 100']);
});

test('appends: only a file that nothing else writes to is judged', () => {
  const { call: _, ...rest } = appended(2, 'a', 0);
  assert.equal(isOnlyAppendedTo([appended(1, 'a', 0)]), true);
  assert.equal(isOnlyAppendedTo([{ ...rest, call: { kind: 'truncate', length: 0 } }]), false);
});

const replica = (
  server: string,
  version: number,
  digest: string,
  state: 'live' | 'corrupt' | 'quarantined' = 'live',
) => ({
  server,
  version,
  length: 10,
  digest,
  state,
});
const chunk = (replicas: ChunkAtEnd['replicas']): ChunkAtEnd => ({
  handle: 'c',
  version: 3,
  goal: 3,
  members: ['s1', 's2', 's3'],
  replicas,
});

test('replicas: as many as the goal, of the version of the master, with the same bytes', () => {
  const equal = chunk([
    replica('s1', 3, 'x'),
    replica('s2', 3, 'x'),
    replica('s3', 3, 'x'),
    replica('s4', 2, 'y', 'quarantined'),
  ]);
  assert.deepEqual(checkReplicas([equal], { servers: 4 }), []);
  assert.deepEqual(checkReplicas([chunk([replica('s1', 3, 'x'), replica('s2', 3, 'x')])], { servers: 2 }), []);
});

test('replicas: different bytes, too few copies, stale or corrupt or unlisted ones, a version ahead are found', () => {
  const broken = (...replicas: ChunkAtEnd['replicas']) => summaries(checkReplicas([chunk(replicas)], { servers: 4 }));
  const [one, two] = [replica('s1', 3, 'x'), replica('s2', 3, 'x')];
  assert.deepEqual(broken(one, two, replica('s3', 3, 'y')), ['chunk c: s1 and s3 differ at version 3']);
  assert.deepEqual(broken(one, two, { ...replica('s3', 3, 'x'), length: 9 }), [
    'chunk c: s1 and s3 differ at version 3',
  ]);
  for (const other of [
    replica('s3', 2, 'x'),
    replica('s3', 3, 'x', 'corrupt'),
    replica('s3', 3, 'x', 'quarantined'),
    replica('s4', 3, 'x'),
  ]) {
    assert.deepEqual(broken(one, two, other), ['chunk c: 2 of 3 copies']);
  }
  assert.deepEqual(broken(one, two, replica('s3', 3, 'x'), replica('s4', 4, 'x')), [
    'chunk c: s4 is ahead of the master',
  ]);
});

test('monotonic: versions, terms of a version and sequences rise or stay', () => {
  const seen = (version: number, term: number, sequence: number) => ({
    atMs: 1,
    chunk: 'c',
    holder: 's1',
    version,
    term,
    sequence,
  });
  assert.deepEqual(checkMonotonic([seen(1, 2, 5), seen(1, 2, 5), seen(1, 3, 6), seen(2, 0, 6)]), []);
  assert.deepEqual(summaries(checkMonotonic([seen(2, 0, 5), seen(1, 0, 5)])), ['chunk c: the version of s1 went back']);
  assert.deepEqual(summaries(checkMonotonic([seen(2, 3, 5), seen(2, 2, 5)])), ['chunk c: the term of s1 went back']);
  assert.deepEqual(summaries(checkMonotonic([seen(2, 3, 5), seen(3, 0, 4)])), [
    'chunk c: the sequence of s1 went back',
  ]);
  assert.deepEqual(checkMonotonic([seen(2, 3, 5), { ...seen(1, 0, 0), holder: 's2' }]), []);
});

test('primaries: one after the other, under rising views and terms', () => {
  const served = (server: string, version: number, term: number, fromMs: number, toMs: number): Served => ({
    chunk: 'c',
    server,
    version,
    term,
    fromMs,
    toMs,
  });
  assert.deepEqual(
    checkPrimaries([served('s1', 1, 1, 0, 10), served('s2', 2, 1, 11, 20), served('s2', 2, 2, 15, 30)]),
    [],
  );
  assert.deepEqual(summaries(checkPrimaries([served('s1', 1, 1, 0, 10), served('s2', 2, 1, 10, 20)])), [
    'chunk c: s1 and s2 served as its primary at once',
  ]);
  assert.deepEqual(summaries(checkPrimaries([served('s1', 2, 1, 0, 10), served('s2', 1, 1, 11, 20)])), [
    'chunk c: s1 and s2 served it in the wrong order',
  ]);
  assert.deepEqual(summaries(checkPrimaries([served('s1', 1, 1, 0, 10), served('s2', 1, 1, 11, 20)])), [
    'chunk c: s1 and s2 held the same term',
  ]);
  assert.deepEqual(checkPrimaries([served('s1', 1, 1, 0, 10), { ...served('s2', 1, 1, 5, 20), chunk: 'd' }]), []);
});

test('retries: a copy that knows the operation, or that it has forgotten, is in order; one that does not is found', () => {
  const asked = { chunk: 'c', server: 's', number: 7, offset: 100 };
  const answers = (answer: RetriedMutation['answer']) => summaries(checkRetries([{ ...asked, answer }]));
  assert.deepEqual(answers({ offset: 100 }), []);
  assert.deepEqual(answers('OUTCOME_EXPIRED'), []);
  const unknown = 'chunk c: s does not know operation 7, acknowledged at 100: it answers ';
  assert.deepEqual(answers({ offset: 50 }), [`${unknown}that it is at 50`]);
  for (const answer of ['applied', 'CHUNK_SEALED', 'NOT_PRIMARY'] as const) {
    assert.deepEqual(answers(answer), [unknown + answer]);
  }
});
