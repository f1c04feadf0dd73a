import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { MasterMethods, type Method } from '@cairnfs/protocol';
import type { WireFrame } from '../wire/wire-tap.ts';
import { FaultInjector } from './fault-injector.ts';
import { LastCopies } from './last-copies.ts';
import { SimulatedCluster } from './simulated-cluster.ts';

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

test('last copies: the only member of a chunk, until another one joins', () => {
  const copies = registered('one', 'two');
  const seen = () => [copies.isLast('one'), copies.isLast('one', 'a'), copies.isLast('one', 'b'), copies.isLast('two')];
  deepEqual(seen(), [false, false, false, false]);
  log(copies, 'view changed', { handle: 'a', members: [1, 2] });
  deepEqual(seen(), [false, false, false, false]);
  log(copies, 'view changed', { handle: 'a', members: [1] });
  deepEqual(seen(), [true, true, false, false]);
  log(copies, 'view changed', { handle: 'a', members: [1, 2] });
  deepEqual(seen(), [false, false, false, false]);
});

test('last copies: the one that is left when the other is destroyed, until a view is confirmed with another', () => {
  const copies = registered('one', 'two', 'three');
  log(copies, 'view changed', { handle: 'a', members: [1, 2] });
  log(copies, 'view changed', { handle: 'b', members: [1, 3] });
  copies.destroyed('one', 'a');
  deepEqual([copies.isLast('two', 'a'), copies.isLast('three', 'b'), copies.isLast('one')], [true, false, false]);
  copies.destroyed('one');
  deepEqual([copies.isLast('two'), copies.isLast('three')], [true, true]);
  log(copies, 'view changed', { handle: 'a', members: [2, 3] });
  deepEqual([copies.isLast('two'), copies.isLast('three')], [false, true]);
  log(copies, 'view changed', { handle: 'b', members: [] });
  equal(copies.isLast('three'), false);
});

test('last copies: a chunk that began on few servers counts, from an upload once it is confirmed', () => {
  const copies = registered('one', 'two', 'three');
  copies.sent(response(beginUpload, { chunks: [chunkOn('a', 1, 2)] }));
  copies.destroyed('one');
  copies.sent(request(confirmUpload, { chunks: [{ handle: 'b' }] }));
  equal(copies.isLast('two'), false);
  copies.sent(response(confirmUpload, { spare: { chunks: [chunkOn('c', 3, 2)] } }));
  copies.sent(request(confirmUpload, { chunks: [{ handle: 'c' }] }));
  copies.sent(response(openExtent, { extent: { chunk: chunkOn('d', 1, 3) } }));
  deepEqual([copies.isLast('two'), copies.isLast('three')], [false, false]);
  copies.destroyed('three');
  deepEqual([copies.isLast('two', 'c'), copies.isLast('one', 'd')], [true, true]);
  // An answer that was under way while the copy was destroyed.
  copies.sent(response(openExtent, { extent: { chunk: chunkOn('d', 1, 3) } }));
  equal(copies.isLast('one', 'd'), true);
});

test('last copies: the server that has one is not left sick, but the next that has none', () => {
  const cluster = new SimulatedCluster({ seed: 1, chunkservers: 3 });
  const [one, two, three] = cluster.chunkserverNames;
  const lastCopies = registered(one!, two!, three!);
  const sick = () => new FaultInjector(cluster, new Map(), { lastCopies }).endAll({ sick: three });
  const slow = () => cluster.chunkserverNames.filter((name) => cluster.server(name).host.disk.timing.slowness > 1);
  log(lastCopies, 'view changed', { handle: 'a', members: [1, 3] });
  deepEqual([sick(), slow()], [three, [three]]);
  lastCopies.destroyed(one!);
  deepEqual([sick(), slow()], [one, [one]]);
  log(lastCopies, 'view changed', { handle: 'b', members: [1] });
  deepEqual([sick(), slow()], [two, [two]]);
  log(lastCopies, 'view changed', { handle: 'c', members: [2] });
  deepEqual([sick(), slow()], [undefined, []]);
  cluster.simulation.end();
});
