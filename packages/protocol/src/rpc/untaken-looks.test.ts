import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { UntakenLooks } from './untaken-looks.ts';

/** What looks say: `-` nothing was taken, `s` neither and others wait, `t` enough was taken, `T` so and others wait. */
function enoughAt(looks: string, isShort = false): number[] {
  const untaken = new UntakenLooks();
  untaken.begin(isShort);
  const says = [...looks].map((look) => untaken.look('tT'.includes(look), 'sT'.includes(look)));
  return says.flatMap((isEnough, index) => (isEnough ? [index + 1] : []));
}

test('untaken looks: ten in a row are enough, while nobody waits', () => {
  deepEqual(enoughAt('-----------'), [10, 11]);
  deepEqual(enoughAt('---------t---------'), []);
});

test('untaken looks: two are enough while others wait, from when they are known to', () => {
  deepEqual(enoughAt('ss', true), [2]);
  deepEqual(enoughAt('sss'), [3]);
  deepEqual(enoughAt('-------sss'), [10]);
  deepEqual(enoughAt('----sss'), [7]);
  deepEqual(enoughAt('TsTsTs'), []);
  deepEqual(enoughAt('sTss'), [4]);
});

test('untaken looks: those made while nobody waits do not count for others, and put an end to those that do', () => {
  deepEqual(enoughAt('--------s'), []);
  deepEqual(enoughAt('ss-ss-ss-'), []);
  deepEqual(enoughAt('s-ss', true), []);
  deepEqual(enoughAt('ss-ss-ss-s'), [10]);
});
