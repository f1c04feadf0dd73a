import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { MasterMethods, type Method } from '@cairnfs/protocol';
import type { WireFrame } from '../wire/wire-tap.ts';
import { LastCopies } from './last-copies.ts';

const { beginUpload, confirmUpload, openExtent } = MasterMethods;

function log(copies: LastCopies, event: string, fields: Record<string, unknown>): void {
  copies.logged({ atMs: 0, host: 'master', event: `info ${event}`, fields });
}

/** Of servers one, two and so on, by number. */
function registered(...names: readonly string[]): LastCopies {
  const copies = new LastCopies();
  for (const [index, name] of names.entries()) {
    log(copies, 'chunkserver registered', { id: index + 1, address: `${name}:8080` });
  }
  return copies;
}

const frame = (method: Method<never, never>, role: 'request' | 'response', message: object): WireFrame =>
  ({ role, message, call: { method, request: { message } } }) as unknown as WireFrame;

const request = (method: unknown, message: object) => frame(method as Method<never, never>, 'request', message);
const response = (method: unknown, message: object) => frame(method as Method<never, never>, 'response', message);

const chunkOn = (handle: string, ...servers: readonly number[]) => ({
  handle,
  replicas: servers.map((serverId) => ({ serverId })),
});

/** Each host's chunks. */
const seen = (copies: LastCopies, ...hosts: readonly string[]) => hosts.map((host) => [...copies.of(host)].join(' '));

const change = (copies: LastCopies, handle: string, ...members: readonly number[]) =>
  log(copies, 'view changed', { handle, members });

test('last copies: the only member of a chunk, until another one joins', () => {
  const copies = registered('one', 'two');
  deepEqual(seen(copies, 'one', 'two'), ['', '']);
  change(copies, 'a', 1, 2);
  deepEqual(seen(copies, 'one', 'two'), ['', '']);
  change(copies, 'a', 1);
  deepEqual(seen(copies, 'one', 'two'), ['a', '']);
  change(copies, 'a', 1, 2);
  deepEqual(seen(copies, 'one', 'two'), ['', '']);
});

test('last copies: the one that is left when the others are destroyed, until another one joins', () => {
  const copies = registered('one', 'two', 'three');
  change(copies, 'a', 1, 2);
  change(copies, 'b', 1, 3);
  copies.destroyed('one', 'a');
  deepEqual(seen(copies, 'one', 'two', 'three'), ['', 'a', '']);
  copies.destroyed('one');
  deepEqual(seen(copies, 'one', 'two', 'three'), ['', 'a', 'b']);
  change(copies, 'a', 2, 3);
  deepEqual(seen(copies, 'one', 'two', 'three'), ['', '', 'b']);
  copies.destroyed('three');
  deepEqual(seen(copies, 'one', 'two', 'three'), ['', 'a', '']);
  change(copies, 'b');
  deepEqual(seen(copies, 'one', 'two', 'three'), ['', 'a', '']);
});

test('last copies: who stays alone in a view had its copy on another disk than the one that was lost', () => {
  const copies = registered('one', 'two');
  change(copies, 'a', 1, 2);
  copies.destroyed('one');
  deepEqual(seen(copies, 'one', 'two'), ['', 'a']);
  change(copies, 'a', 1);
  deepEqual(seen(copies, 'one', 'two'), ['a', '']);
});

test('last copies: who leaves a view and joins again has a copy once more; who stays has none', () => {
  const copies = registered('one', 'two', 'three');
  change(copies, 'a', 1, 2, 3);
  copies.destroyed('one');
  change(copies, 'a', 1, 2);
  deepEqual(seen(copies, 'one', 'two'), ['', 'a']);
  change(copies, 'a', 2);
  change(copies, 'a', 2, 1);
  deepEqual(seen(copies, 'one', 'two'), ['', '']);
});

test('last copies: a server that lost its disk comes back as another, which has none of the old copies', () => {
  const copies = registered('one', 'two');
  change(copies, 'a', 1, 2);
  copies.destroyed('one');
  log(copies, 'chunkserver registered', { id: 3, address: 'one:8080' });
  deepEqual(seen(copies, 'one', 'two'), ['', 'a']);
  change(copies, 'a', 2, 3);
  deepEqual(seen(copies, 'one', 'two'), ['', '']);
});

test('last copies: a chunk that began on few servers counts, from an upload once it is confirmed', () => {
  const copies = registered('one', 'two', 'three');
  copies.sent(response(beginUpload, { chunks: [chunkOn('a', 1, 2)] }));
  copies.destroyed('one');
  copies.sent(request(confirmUpload, { chunks: [{ handle: 'b' }] }));
  deepEqual(seen(copies, 'two'), ['']);
  copies.sent(request(confirmUpload, { chunks: [{ handle: 'a' }] }));
  deepEqual(seen(copies, 'two'), ['a'], 'destroyed before it was confirmed');
  copies.sent(response(confirmUpload, { spare: { chunks: [chunkOn('c', 3, 2)] } }));
  copies.sent(request(confirmUpload, { chunks: [{ handle: 'c' }] }));
  copies.sent(response(openExtent, { extent: { chunk: chunkOn('d', 1, 3) } }));
  deepEqual(seen(copies, 'one', 'two', 'three'), ['', 'a', '']);
  copies.destroyed('three');
  deepEqual(seen(copies, 'one', 'two', 'three'), ['d', 'a c', '']);
  // An answer that was under way while the copy was destroyed.
  copies.sent(response(openExtent, { extent: { chunk: chunkOn('d', 1, 3) } }));
  deepEqual(seen(copies, 'one'), ['d']);
});
