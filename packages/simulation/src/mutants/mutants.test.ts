import { equal, ok, throws } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { edited } from './edits.ts';
import { MUTANTS } from './mutants.ts';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));

test('mutants: each finds the passages it changes, once', () => {
  ok(MUTANTS.length >= 20);
  equal(new Set(MUTANTS.map(({ name }) => name)).size, MUTANTS.length);
  for (const { edits } of MUTANTS) {
    for (const edit of edits) edited(readFileSync(ROOT + edit.file, 'utf8'), edit);
  }
});

test('edit: a passage that is missing or there twice is refused', () => {
  equal(edited('a b c', { file: 'f', from: 'b', to: 'd' }), 'a d c');
  throws(() => edited('a c', { file: 'f', from: 'b', to: 'd' }), /no 'b' any more/);
  throws(() => edited('b b', { file: 'f', from: 'b', to: 'd' }), /more than once/);
});
