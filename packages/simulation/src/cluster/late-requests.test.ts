/** Requests that were sent over a connection that their sender gave up, and that come when it has gone on over another. */
import { deepEqual, equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { OPERATION_MEMORY_MS } from '@cairnfs/protocol';
import { SimulatedCluster } from './simulated-cluster.ts';

/** Longer than silence is borne on a connection that an answer is awaited on: it is given up, and what it carried is not. */
const CUT_MS = 40_000;
/** As TCP sends again later and later what nobody confirms: what was cut off for long comes long after the link is whole. */
const LATE_MS = 5000;
/** For how long the master knows of a silent client which of its operations are too late. */
const HEADER_KEPT_MS = 60 * 60_000;

test('late request: a change that was refused is not applied by an earlier try of it that comes afterwards', async () => {
  const cluster = await SimulatedCluster.start({ seed: 1, chunkservers: 3 });
  const { network } = cluster.simulation;
  const [mover, writer] = [cluster.client('mover'), cluster.client('writer')];
  await cluster.run(() => mover.exists('/a')); // it has a connection
  network.cut('mover', 'master');
  const moved = rejects(mover.rename('/a', '/b', { timeoutMs: 2 * CUT_MS }), { code: 'ENOENT' });
  await cluster.simulation.runFor(CUT_MS);
  network.slow('mover', 'master', [LATE_MS, LATE_MS]);
  network.mend('mover', 'master');
  network.quicken('mover', 'master');
  await cluster.run(() => moved);
  await cluster.run(() => writer.writeFile('/a', 'written when the rename had failed'));
  await cluster.simulation.runFor(2 * LATE_MS);
  deepEqual(await cluster.run(() => writer.readdir('/')), ['a']);
});

test('late request: an append is not sent again when its first try may be forgotten', async () => {
  const cluster = await SimulatedCluster.start({ seed: 1, chunkservers: 3 });
  const { network } = cluster.simulation;
  const servers = ['master', ...cluster.chunkserverNames];
  const [appender, other] = [cluster.client('appender'), cluster.client('other')];
  const file = await cluster.run(() => appender.open('/log', 'a'));
  const record = (text: string, timeoutMs: number) => file.appendRecord(Buffer.from(text), { timeoutMs });
  await cluster.run(() => record('first;', CUT_MS));
  network.cut(servers, 'appender'); // it is applied, and the answer is lost
  const appended = rejects(record('second;', 3 * OPERATION_MEMORY_MS), { kind: 'OUTCOME_EXPIRED' });
  await cluster.simulation.runFor(OPERATION_MEMORY_MS + CUT_MS);
  await cluster.run(() => other.appendRecord('/log', Buffer.from('third;'))); // what is old is forgotten to make room
  network.heal();
  await cluster.run(() => appended);
  equal(await cluster.run(() => other.readFile('/log', 'utf8')), 'first;second;third;');
});

test('late request: a change is not sent again when its first try may be forgotten', async () => {
  const cluster = await SimulatedCluster.start({ seed: 1, chunkservers: 3 });
  const { network } = cluster.simulation;
  const [maker, remover] = [cluster.client('maker'), cluster.client('remover')];
  await cluster.run(() => maker.exists('/'));
  network.cut('master', 'maker'); // it is applied, and the answer is lost
  const made = rejects(maker.mkdir('/made', { timeoutMs: 3 * HEADER_KEPT_MS }), { kind: 'OUTCOME_EXPIRED' });
  await cluster.simulation.runFor(CUT_MS);
  await cluster.run(() => remover.rmdir('/made'));
  await cluster.simulation.runFor(HEADER_KEPT_MS + 2 * OPERATION_MEMORY_MS);
  network.heal();
  await cluster.run(() => made);
  deepEqual(await cluster.run(() => remover.readdir('/')), []);
});
