import { deepEqual, equal, match } from 'node:assert/strict';
import { test } from 'node:test';
import { ChunkserverDataMethods, ChunkserverPeerMethods, MasterControlMethods, type Method } from '@cairnfs/protocol';
import type { Violation } from '../checks/violation.ts';
import type { WireFrame } from '../wire/wire-tap.ts';
import { ServingWatch } from './serving-watch.ts';

const HANDLE = '0a1b2c3d-0000-4000-8000-000000000001';
const SERVER = 'chunkserver-1';

function answered<Q, S>(
  method: Method<Q, S>,
  {
    server,
    request,
    reply,
    askedMs,
    sentMs,
  }: { server: string; request: object; reply: object; askedMs: number; sentMs: number },
): WireFrame {
  const [from, to] = method.id === MasterControlMethods.heartbeat.id ? [server, 'master'] : ['client', server];
  const shared = { dataBytes: 0, from, to, connection: 1 };
  const call = { number: 1, method: method as Method<unknown, unknown>, from, to } as WireFrame['call'];
  Object.assign(call, { request: { ...shared, role: 'request', call, sentMs: askedMs, message: request } });
  return { role: 'response', call, from: to, to: from, connection: 1, sentMs, dataBytes: 0, message: reply };
}

const beat = (askedMs: number, leaseWithheld = false) =>
  answered(MasterControlMethods.heartbeat, {
    ...{ server: SERVER, request: {}, askedMs, sentMs: askedMs + 500 },
    reply: { leaseWithheld },
  });

const read = (version: number, sentMs: number) =>
  answered(ChunkserverDataMethods.readChunk, {
    ...{ server: SERVER, reply: {}, askedMs: sentMs - 1, sentMs },
    request: { handle: HANDLE, version },
  });

function watched(): { watch: ServingWatch; violations: Violation[] } {
  const violations: Violation[] = [];
  return { watch: new ServingWatch(10_000, (violation) => violations.push(violation)), violations };
}

test('serving watch: a lease runs from when an answered heartbeat left, and ends with the process', () => {
  const { watch, violations } = watched();
  watch.sent(beat(1000));
  watch.sent(read(1, 11_050));
  watch.sent(beat(5000, true));
  equal(violations.length, 0);
  watch.sent(read(1, 11_200));
  match(violations[0]!.summary, /answered ChunkserverData.ReadChunk without its server lease, which ended at/);
  const again = watched();
  again.watch.sent(beat(1000));
  again.watch.logged({ atMs: 2000, host: SERVER, event: 'start', fields: {} });
  again.watch.sent(read(1, 2001));
  match(again.violations[0]!.summary, /without its server lease, before it had one/);
});

test('serving watch: once a view is confirmed nothing is answered under an earlier version', () => {
  const { watch, violations } = watched();
  watch.sent(beat(1000));
  watch.logged({ atMs: 2000, host: 'master', event: 'info view changed', fields: { handle: HANDLE, version: 3 } });
  watch.sent(read(3, 2001));
  equal(violations.length, 0);
  watch.sent(read(2, 2002));
  deepEqual(
    violations.map(({ check }) => check),
    ['views'],
  );
  match(violations[0]!.summary, /under version 2, after version 3 was confirmed at 2\.0000 s/);
});

test('serving watch: a secondary that finds itself different from its primary is a violation', () => {
  const { watch, violations } = watched();
  const refused = (kind: string): WireFrame => {
    const request = { handle: HANDLE, version: 1 };
    const answer = answered(ChunkserverPeerMethods.stageMutation, {
      ...{ server: SERVER, request, reply: { kind, message: 'they differ' }, askedMs: 1, sentMs: 2 },
    });
    return { ...answer, role: 'error' };
  };
  watch.sent(refused('STALE_VERSION'));
  equal(violations.length, 0);
  watch.sent(refused('DAMAGED'));
  match(violations[0]!.summary, /chunkserver-1 refused a mutation of its primary: they differ/);
});

test('serving watch: one that finds an entry of its index damaged, where bits have rotted, is none', () => {
  const { watch, violations } = watched();
  const request = { handle: HANDLE, version: 1 };
  const answer = answered(ChunkserverPeerMethods.stageMutation, {
    ...{ server: SERVER, request, reply: { kind: 'DAMAGED', message: 'no match' }, askedMs: 1, sentMs: 2 },
  });
  watch.logged({ atMs: 1, host: answer.from, event: 'bit rot', fields: {} });
  watch.sent({ ...answer, role: 'error' });
  equal(violations.length, 0);
});
