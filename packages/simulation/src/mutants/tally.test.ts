import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { formatKept, Tally } from './tally.ts';

test('tally: tells how each mutant fared, and names those that were not caught by why', () => {
  const tally = new Tally(['a', 'b', 'c', 'd', 'e']);
  const by = 'storm, file: wrong bytes';
  equal(tally.judge('a', { schedules: 1, seconds: 8, by }, true), `caught by 1 schedule in 8 s: ${by}`);
  equal(tally.judge('b', { schedules: 40, seconds: 9, by: undefined }, false), 'NOT CAUGHT by 40 schedules in 9 s');
  equal(
    tally.judge('c', { schedules: 2, seconds: 3, by }, false),
    `NOT SHOWN by 2 schedules in 3 s: without the mutant the last of them fails as well: ${by}`,
  );
  equal(tally.notRun('d', new Error('it does not compile')), 'NOT RUN: it does not compile');
  equal(tally.format(), 'caught: 1 of 5\nnot caught: b\nnot shown: c\nnot run: d\nnot tried: e');
  equal(tally.isAllCaught, false);
});

test('tally: nothing is named when all were caught', () => {
  const tally = new Tally(['a']);
  tally.judge('a', { schedules: 1, seconds: 8, by: 'storm, file: wrong bytes' }, true);
  equal(tally.format(), 'caught: 1 of 1');
  equal(tally.isAllCaught, true);
});

test('tally: of a copy that is left it is told where it is, and what fails there', () => {
  const command = 'cd /tmp/copy && npm run simulate -- --schedule storm/short:7';
  equal(formatKept('/tmp/copy', { profile: 'storm/short', seed: 7 }), `kept: /tmp/copy\n  ${command}`);
  equal(formatKept('/tmp/copy', undefined), 'kept: /tmp/copy');
});
