import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import {
  ChunkserverControlMethods,
  ChunkserverDataMethods,
  ChunkserverPeerMethods,
  MasterControlMethods,
  MasterMethods,
} from '@cairnfs/protocol';
import { LAST_WORDS, LAST_WORDS_OF_MASTER, LATE_MESSAGES } from '../schedule/make-faults.ts';
import type { Fault } from '../schedule/schedule.ts';
import { type WireFrame, WireTap } from '../wire/wire-tap.ts';
import { FaultInjector } from './fault-injector.ts';
import { MessageTraps } from './message-traps.ts';
import { SimulatedCluster } from './simulated-cluster.ts';

const INSTALL = 'ChunkserverPeer.InstallView';
const RECORD = Buffer.alloc(100, 1);

/** A cluster in which the fault waits, and a file is begun. Returns who sent `INSTALL` when, and when each arrived. */
async function struckBy(fault: Fault) {
  const cluster = await SimulatedCluster.start({ seed: 5, chunkservers: 3 });
  const { simulation } = cluster;
  const sent: WireFrame[] = [];
  const arrived = new Map<WireFrame, number>();
  const traps = new MessageTraps();
  const log = {
    sent: (frame: WireFrame) => void (frame.call.method.name === INSTALL && sent.push(frame)),
    arrived: (frame: WireFrame, atMs: number) => void arrived.set(frame, atMs),
  };
  simulation.network.tap = new WireTap(() => simulation.nowMs, [traps, log]);
  const injector = new FaultInjector(cluster, new Map(), { traps });
  injector.plan([{ id: 1, atMs: 0, fault }]);
  const client = cluster.client();
  await cluster.run(async () => {
    const file = await client.open('/f', 'ax');
    await file.appendRecord(RECORD, { timeoutMs: 60_000 });
    await file.close();
  });
  return { cluster, client, sent, arrived, injector };
}

test('late message: the call comes so much later, and what it was about is done without it', async () => {
  const message = { method: INSTALL, isAnswer: false };
  const { cluster, client, sent, arrived } = await struckBy({ kind: 'lateMessage', message, pass: 2, extraMs: 9000 });
  await cluster.simulation.runFor(10_000);
  const calls = sent.filter(({ role }) => role === 'request');
  const delays = calls.map((frame) => arrived.get(frame)! - frame.sentMs);
  ok(delays[0]! < 100 && delays[1]! >= 9000, `${delays}`);
  deepEqual(await cluster.run(() => client.readFile('/f')), RECORD);
});

test('late message: its sender may end, and start again before it has come', async () => {
  const message = { method: INSTALL, isAnswer: false };
  const fault = { kind: 'lateMessage', message, pass: 1, extraMs: 9000, downMs: 100 } as const;
  const { cluster, client, sent, arrived } = await struckBy(fault);
  await cluster.simulation.runFor(10_000);
  const first = sent[0]!;
  ok(arrived.get(first)! - first.sentMs >= 9000);
  ok(cluster.simulation.host(first.from).isRunning);
  deepEqual(await cluster.run(() => client.readFile('/f')), RECORD);
});

test('last words: the answer arrives, and who gave it is down', async () => {
  const message = { method: INSTALL, isAnswer: true };
  const fault = { kind: 'lastWords', of: 'sender', message, pass: 1, afterMs: 0.01, downMs: 30_000 } as const;
  const { cluster, client, sent, arrived, injector } = await struckBy(fault);
  const answer = sent.find(({ role }) => role !== 'request')!;
  ok(arrived.has(answer));
  equal(cluster.simulation.host(answer.from).isRunning, false);
  deepEqual(await cluster.run(() => client.readFile('/f')), RECORD);
  equal(injector.struck.get('lastWords'), 1);
});

test('messages that faults wait for: each is a method of the protocol', () => {
  const services = [
    MasterMethods,
    MasterControlMethods,
    ChunkserverDataMethods,
    ChunkserverPeerMethods,
    ChunkserverControlMethods,
  ];
  const names = new Set(services.flatMap((methods) => Object.values(methods).map(({ name }) => name)));
  for (const { method } of [...LATE_MESSAGES, ...LAST_WORDS, ...LAST_WORDS_OF_MASTER]) ok(names.has(method), method);
});
