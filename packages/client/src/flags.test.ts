import { deepEqual, throws } from 'node:assert/strict';
import { constants } from 'node:fs';
import { test } from 'node:test';
import { parseFlags } from './flags.ts';

const { O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_TRUNC, O_APPEND, O_SYNC } = constants;

test('flags: words and the sums of constants that Node makes of them mean the same', () => {
  const sums: Record<string, number> = {
    r: O_RDONLY,
    'r+': O_RDWR,
    w: O_TRUNC | O_CREAT | O_WRONLY,
    wx: O_TRUNC | O_CREAT | O_WRONLY | O_EXCL,
    'w+': O_TRUNC | O_CREAT | O_RDWR,
    'wx+': O_TRUNC | O_CREAT | O_RDWR | O_EXCL,
    a: O_APPEND | O_CREAT | O_WRONLY,
    ax: O_APPEND | O_CREAT | O_WRONLY | O_EXCL,
    'a+': O_APPEND | O_CREAT | O_RDWR,
    'ax+': O_APPEND | O_CREAT | O_RDWR | O_EXCL,
  };
  for (const [word, sum] of Object.entries(sums)) {
    const { truncate, ...rest } = parseFlags(word);
    const { truncate: ofSum, ...restOfSum } = parseFlags(sum | O_SYNC);
    deepEqual(restOfSum, rest, word);
    // What was certainly not there before has nothing to cut.
    deepEqual(truncate || rest.exclusive, ofSum || rest.exclusive, word);
  }
});

test('flags: the other spellings of Node are understood, and nothing else', () => {
  deepEqual(parseFlags('rs+'), parseFlags('r+'));
  deepEqual(parseFlags('sr'), parseFlags('r'));
  deepEqual(parseFlags('xw+'), parseFlags('wx+'));
  deepEqual(parseFlags('as'), parseFlags('a'));
  for (const wrong of ['', 's', 'rw', 'r++', 'W', 'constructor']) throws(() => parseFlags(wrong), { code: 'EINVAL' });
  for (const wrong of [-1, 1.5, 3, Number.NaN]) throws(() => parseFlags(wrong), { code: 'EINVAL' });
});
