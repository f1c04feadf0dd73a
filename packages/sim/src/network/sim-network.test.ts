import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { type Connection, isFsError, type Receiver, type Seams } from '@cairnfs/base';
import { Simulation } from '../simulation.ts';

test('network: a cut link holds bytes back, and a healed one brings them, none lost and in order', async () => {
  const { simulation, client, server } = await connectedPair();
  simulation.network.cut('client', 'server');
  client.connection.write([Uint8Array.of(1, 2)]);
  server.connection.write([Uint8Array.of(7)]);
  await simulation.runFor(60_000);
  deepEqual(server.bytes, []);
  deepEqual(client.bytes, [7]); // the other way works
  client.connection.write([Uint8Array.of(3)]);
  simulation.network.heal();
  client.connection.write([Uint8Array.of(4)]);
  await simulation.runFor(1000);
  deepEqual(server.bytes, [1, 2, 3, 4]);
});

test('network: what is held up on one connection comes later, in order, and another connection overtakes it', async () => {
  const { simulation, seams, client, server } = await connectedPair();
  const { number } = client.connection as unknown as { number: number };
  client.connection.write([Uint8Array.of(1)]);
  await simulation.runFor(10);
  simulation.network.holdUp({ number, hostName: 'client' }, 5000);
  client.connection.write([Uint8Array.of(2)]);
  server.connection.write([Uint8Array.of(7)]);
  await simulation.runFor(10);
  client.connection.write([Uint8Array.of(3)]);
  (await simulation.run(seams.client.network.connect('server:1', 1000))).close();
  await simulation.runFor(4900);
  deepEqual(server.bytes, [1]);
  deepEqual(client.bytes, [7]); // the other way works
  await simulation.runFor(100);
  deepEqual(server.bytes, [1, 2, 3]);
});

test('network: a connection across a cut runs into its deadline, and comes about when the cut heals in time', async () => {
  const { simulation, seams } = await connectedPair();
  simulation.network.partition(['client'], ['server', 'other']);
  await rejects(simulation.run(seams.client.network.connect('server:1', 3000)), (error) =>
    isFsError(error, 'DEADLINE_EXCEEDED'),
  );
  const connecting = seams.client.network.connect('server:1', 10_000);
  await simulation.runFor(2500);
  simulation.network.heal();
  (await simulation.run(connecting)).close();
});

test('network: a killed process resets its connections, and new ones are refused', async () => {
  const { simulation, seams, client } = await connectedPair();
  simulation.host('server').crash({ unsynced: 'keep' });
  await simulation.runFor(100);
  ok(isFsError(client.closedWith, 'CONNECTION_LOST'));
  await rejects(simulation.run(seams.client.network.connect('server:1', 1000)), (error) =>
    isFsError(error, 'CONNECTION_REFUSED'),
  );
});

test('network: a machine without power tells nobody; back again, it resets what it does not know', async () => {
  const { simulation, seams, client } = await connectedPair();
  simulation.host('server').crash({ unsynced: 'lose' });
  client.connection.write([Uint8Array.of(1)]);
  await simulation.runFor(60_000);
  equal(client.closedCount, 0);
  await rejects(simulation.run(seams.client.network.connect('server:1', 1000)), (error) =>
    isFsError(error, 'DEADLINE_EXCEEDED'),
  );
  simulation.host('server').start();
  client.connection.write([Uint8Array.of(2)]);
  await simulation.runFor(100);
  ok(isFsError(client.closedWith, 'CONNECTION_LOST'));
  equal(client.closedCount, 1);
});

test('network: a reset reaches both ends once', async () => {
  const { simulation, client, server } = await connectedPair();
  simulation.network.resetConnections('client', 'server');
  simulation.network.resetConnections('client');
  await simulation.runFor(100);
  deepEqual([client.closedCount, server.closedCount], [1, 1]);
  equal(simulation.network.connectionCount, 0);
});

test('network: bytes come in pieces cut anywhere', async () => {
  const { simulation, client, server } = await connectedPair();
  simulation.network.conditions.splitChance = 1;
  for (let index = 0; index < 50; index++) client.connection.write([Uint8Array.of(index, index, index, index)]);
  await simulation.runFor(100);
  equal(server.bytes.length, 200);
  ok(server.lengths.some((length) => length % 4 !== 0));
});

async function connectedPair() {
  const simulation = new Simulation({ seed: 3 });
  const seams = { client: simulation.host('client').start(), server: simulation.host('server').start() };
  simulation.host('other').start();
  const accepted: End[] = [];
  await simulation.run(seams.server.network.listen('server:1', (connection) => accepted.push(new End(connection))));
  const client = new End(await simulation.run(connect(seams.client)));
  return { simulation, seams, client, server: accepted[0]! };
}

function connect(seams: Seams): Promise<Connection> {
  return seams.network.connect('server:1', 1000);
}

class End implements Receiver {
  readonly connection: Connection;
  readonly bytes: number[] = [];
  readonly lengths: number[] = [];
  closedCount = 0;
  closedWith: Error | undefined;
  readonly #lent = new Uint8Array(64);

  constructor(connection: Connection) {
    this.connection = connection;
    connection.receive(this);
  }

  buffer(): Uint8Array {
    return this.#lent;
  }

  received(length: number): void {
    this.lengths.push(length);
    this.bytes.push(...this.#lent.subarray(0, length));
  }

  drained(): void {}

  closed(error?: Error): void {
    this.closedCount += 1;
    this.closedWith = error;
  }
}
