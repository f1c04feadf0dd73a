import { deepEqual, equal, notEqual, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { AssertionError, isFsError, type Receiver, type Seams } from '@cairnfs/base';
import { Simulation } from './simulation.ts';

test('simulation: one seed gives one trace, another seed another', async () => {
  const first = await pingPong(1);
  equal(first, await pingPong(1));
  notEqual(first, await pingPong(2));
});

test('simulation: hours pass in moments, and events of one time keep their order', async () => {
  const simulation = new Simulation({ seed: 1 });
  const { clock } = simulation.host('a').start();
  const order: number[] = [];
  clock.after(3_600_000, () => order.push(1));
  clock.after(3_600_000, () => order.push(2));
  clock.after(1, () => order.push(0));
  await simulation.runFor(3_600_000);
  deepEqual(order, [0, 1, 2]);
  equal(simulation.nowMs, 3_600_000);
});

test('simulation: work that waits for nothing that will happen is reported, and so is work that takes too long', async () => {
  const simulation = new Simulation({ seed: 1 });
  await rejects(simulation.run(new Promise(() => {})), /stuck/);
  await rejects(simulation.run(simulation.clock.sleep(100), 50), /did not settle within 50 ms/);
});

test('simulation: an exception in an event ends the run', async () => {
  const simulation = new Simulation({ seed: 1 });
  simulation
    .host('a')
    .start()
    .clock.soon(() => {
      throw new Error('broken');
    });
  await rejects(simulation.runFor(10), /broken/);
});

test('crash: nothing of the old process runs any more, and a new one begins on the same host', async () => {
  const simulation = new Simulation({ seed: 1 });
  const host = simulation.host('a');
  const seams = host.start();
  const events: string[] = [];
  await simulation.run(seams.disk.makeDirectory('/d'));
  seams.clock.after(5, () => events.push('timer'));
  void seams.clock.sleep(5).then(() => events.push('sleep'));
  void seams.disk.open('/d/f', 'create').then(() => events.push('disk'));
  void seams.network.listen('a:1', () => {}).then(() => events.push('network'));
  host.crash({ unsynced: 'keep' });
  seams.clock.after(5, () => events.push('timer after the crash'));
  void seams.disk.makeDirectory('/e').then(() => events.push('disk after the crash'));
  seams.log.info('log after the crash');
  seams.fatal(new Error('fatal after the crash'));
  const { hash } = simulation.trace;
  await simulation.runFor(1000);
  deepEqual(events, []);
  equal(simulation.trace.hash, hash);
  const again = host.start();
  deepEqual(await simulation.run(again.disk.list('/d')), []);
  equal(host.fatalError, undefined);
});

test('crash: the network lock, ports and locks of the dead process are free for the next', async () => {
  const simulation = new Simulation({ seed: 1 });
  const host = simulation.host('a');
  const take = async (seams: Seams) => {
    await seams.network.listen('0.0.0.0:9000', () => {});
    await seams.disk.makeDirectory('/d');
    await seams.disk.lock('/d/lock');
    await seams.openStateStore('/d/state');
  };
  for (const unsynced of ['keep', 'lose', 'random'] as const) {
    const seams = host.start();
    await simulation.run(take(seams));
    await rejects(simulation.run(seams.disk.lock('/d/lock')), { code: 'EBUSY' });
    host.crash({ unsynced });
  }
});

test('fatal: a broken invariant ends the run, a fatal disk error ends the process', async () => {
  const simulation = new Simulation({ seed: 1 });
  const host = simulation.host('a');
  host.start().fatal(new Error('the disk failed'));
  await simulation.runFor(1);
  equal(host.isRunning, false);
  equal(host.fatalError?.message, 'the disk failed');
  host.start().clock.soon(() => {});
  simulation.host('b').start().fatal(new AssertionError('two primaries'));
  await rejects(simulation.runFor(1), /two primaries/);
});

test('stall: what falls due meanwhile runs at the end, in order', async () => {
  const simulation = new Simulation({ seed: 1 });
  const host = simulation.host('a');
  const { clock } = host.start();
  const runs: [string, number][] = [];
  clock.after(10, () => runs.push(['first', clock.nowMs()]));
  clock.after(20, () => runs.push(['second', clock.nowMs()]));
  clock.after(200, () => runs.push(['third', clock.nowMs()]));
  host.stall(100);
  await simulation.runFor(300);
  deepEqual(runs, [
    ['first', 100],
    ['second', 100],
    ['third', 200],
  ]);
});

test('clock: a fast one reaches its deadlines early, by true time', async () => {
  const simulation = new Simulation({ seed: 1 });
  const host = simulation.host('a');
  host.clockOptions = { rate: 1.25, wallOffsetMs: -1000 };
  const { clock } = host.start();
  let ranAtMs = 0;
  clock.after(1000, () => {
    ranAtMs = simulation.nowMs;
  });
  await simulation.runFor(2000);
  equal(ranAtMs, 800);
  equal(clock.nowMs(), 2500);
  ok(clock.wallMs() < simulation.clock.wallMs());
});

/** Two hosts exchange bytes over a bad network; returns the trace's hash. */
async function pingPong(seed: number): Promise<string> {
  const simulation = new Simulation({ seed });
  simulation.network.conditions.splitChance = 0.5;
  simulation.network.conditions.resetChance = 0.05;
  const server = simulation.host('server').start();
  const client = simulation.host('client').start();
  await simulation.run(async () => {
    await server.network.listen('server:1', (connection) => {
      connection.receive(receiver(server, (bytes) => connection.write([bytes.slice()])));
    });
    for (let round = 0; round < 20; round++) {
      const connection = await client.network.connect('server:1', 1000);
      await new Promise<void>((resolve) => {
        let count = 0;
        connection.write([client.random.bytes(1000)]);
        connection.receive(
          receiver(
            client,
            (bytes) => {
              count += bytes.length;
              if (count >= 1000) connection.close();
            },
            resolve,
          ),
        );
      });
    }
    await rejects(client.network.connect('server:2', 100), (error) => isFsError(error, 'CONNECTION_REFUSED'));
  });
  return simulation.trace.hash;
}

function receiver(seams: Seams, received: (bytes: Uint8Array) => void, closed: () => void = () => {}): Receiver {
  const lent = new Uint8Array(300);
  return {
    buffer: () => lent,
    received(length) {
      seams.log.debug('received', { length });
      received(lent.subarray(0, length));
    },
    drained() {},
    closed(error) {
      seams.log.debug('closed', { error });
      closed();
    },
  };
}
