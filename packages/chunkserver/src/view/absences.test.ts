import { doesNotThrow, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '@cairnfs/base';
import { Absences } from './absences.ts';
import { ABSENCE_KEPT_MS } from './limits.ts';

const stale = { kind: 'STALE_VERSION' };

class TestAbsences {
  nowMs = 0;
  readonly absences: Absences;

  constructor(max = 2) {
    this.absences = new Absences({ nowMs: () => this.nowMs } as Clock, max);
  }
}

test('absences: the latest version asked for counts, and that one and later ones are made', () => {
  const { absences } = new TestAbsences();
  absences.note('a', 5);
  absences.note('a', 4);
  throws(() => absences.check('a', 4), stale);
  doesNotThrow(() => absences.check('a', 5));
  doesNotThrow(() => absences.check('a', 6));
  doesNotThrow(() => absences.check('b', 1));
});

test('absences: none is told of a version once a replica was made under it, however late that is asked for again', () => {
  const { absences } = new TestAbsences();
  absences.made('a'); // nobody asked
  absences.note('a', 5);
  equal(absences.wasAsked('a', 4), false);
  equal(absences.wasAsked('a', 5), true);
  absences.made('a');
  equal(absences.wasAsked('a', 5), false);
  for (const version of [5, 4]) absences.note('a', version);
  equal(absences.wasAsked('a', 5), false);
  throws(() => absences.check('a', 4), stale);
  absences.note('a', 6);
  equal(absences.wasAsked('a', 6), true);
});

test('absences: none makes room for another before its time', () => {
  const test = new TestAbsences();
  const { absences } = test;
  absences.note('a', 5);
  test.nowMs = 1_000;
  absences.note('b', 5);
  test.nowMs = ABSENCE_KEPT_MS;
  absences.note('b', 6); // known: takes no room, and begins anew
  doesNotThrow(() => absences.note('c', 5));
  doesNotThrow(() => absences.check('a', 1));
  test.nowMs += 1_000;
  throws(() => absences.note('d', 5), { kind: 'OVERLOADED' });
  throws(() => absences.check('b', 5), stale);
  test.nowMs += ABSENCE_KEPT_MS;
  absences.note('d', 5);
  throws(() => absences.check('d', 4), stale);
});

test('absences: of what went with its disk more than can be remembered is taken for all that may be', () => {
  const { absences } = new TestAbsences();
  absences.note('a', 5);
  for (const handle of ['b', 'c', 'b']) absences.lost(handle, 5);
  equal(absences.wasAsked('a', 5), true);
  absences.lost('d', 5);
  equal(absences.wasAsked('a', 5), false);
});

test('absences: what left, or went with its disk, refuses what it had refused, and is no word that there never was one', () => {
  const { absences } = new TestAbsences();
  absences.leaves('a', 5);
  throws(() => absences.check('a', 4), stale);
  doesNotThrow(() => absences.check('a', 5));
  equal(absences.wasAsked('a', 5), false);
  absences.leaves('a', 3);
  throws(() => absences.check('a', 4), stale);
  absences.lost('b', 5);
  throws(() => absences.check('b', 4), stale);
  doesNotThrow(() => absences.check('b', 5));
});

test('absences: a replica that was lost twice refuses what either refused', () => {
  const { absences } = new TestAbsences();
  absences.lost('a', 5);
  absences.lost('a', 3);
  throws(() => absences.check('a', 4), stale);
});

test('absences: what leaves at the first version takes no room, and other replicas leave some to the master', () => {
  const test = new TestAbsences(4);
  const { absences } = test;
  for (const handle of ['a', 'b', 'c', 'd']) absences.leaves(handle, 1);
  for (const handle of ['e', 'f', 'g', 'g']) absences.leaves(handle, 2);
  throws(() => absences.leaves('h', 2), { kind: 'OVERLOADED' });
  absences.note('h', 2);
  throws(() => absences.note('i', 2), { kind: 'OVERLOADED' });
  test.nowMs = ABSENCE_KEPT_MS;
  absences.leaves('i', 2);
  throws(() => absences.check('i', 1), stale);
});
