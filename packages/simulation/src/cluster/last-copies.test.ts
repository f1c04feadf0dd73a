import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { LastCopies } from './last-copies.ts';

test('last copies: the only member of a chunk, until another one joins', () => {
  const copies = new LastCopies();
  const log = (event: string, fields: Record<string, unknown>) =>
    copies.logged({ atMs: 0, host: 'master', event: `info ${event}`, fields });
  const seen = () => [copies.isLast('one'), copies.isLast('one', 'a'), copies.isLast('one', 'b'), copies.isLast('two')];
  log('chunkserver registered', { id: 1, address: 'one:8080' });
  log('chunkserver registered', { id: 2, address: 'two:8080' });
  log('view changed', { handle: 'a', members: [1, 2] });
  deepEqual(seen(), [false, false, false, false]);
  log('view changed', { handle: 'a', members: [1] });
  deepEqual(seen(), [true, true, false, false]);
  log('view changed', { handle: 'a', members: [1, 2] });
  deepEqual(seen(), [false, false, false, false]);
});
