/**
 * No server has two replicas of one version: a server whose disk failed with an empty one, of which nobody knows yet, makes no
 * other on the disk that is left. Should the first return alone, in place of that, it would pass for what was written to.
 */
import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { GiB } from '@cairnfs/base';
import { ChunkserverDataMethods, createRpcPool, MasterMethods } from '@cairnfs/protocol';
import { SimulatedCluster } from './simulated-cluster.ts';

const CALL = { timeoutMs: 5_000 };
/** Until all servers are known, with the room they have. */
const UNTIL_KNOWN_MS = 5_000;
/** Until a replica is made, and durable. */
const MADE_MS = 200;
/** A server lease and more: a server that crashed is out of its views. */
const UNTIL_LEFT_MS = 15_000;
/** Until a server just started has its lease. */
const UNTIL_SERVING_MS = 300;
/** Of the second between two looks of a primary for replicas that are gone, from an append on. */
const BEFORE_SWEEP_MS = 750;
const AFTER_SWEEP_MS = 400;
/** Until an open chunk that nobody leads is closed, and has its copies again. */
const UNTIL_AT_REST_MS = 240_000;

/** A file whose first chunk is placed, and has no replica yet. Of its servers each has two disks; the first one takes replicas. */
class EmptyChunk {
  readonly cluster: SimulatedCluster;
  readonly client;
  /** Of the chunk, the primary first. */
  members: string[] = [];
  #inode = 0;
  #handle = '';
  #version = 0;
  #poolCount = 0;

  constructor(cluster: SimulatedCluster) {
    this.cluster = cluster;
    this.client = cluster.client();
  }

  static async begin(seed: number, replication: number): Promise<EmptyChunk> {
    const cluster = await SimulatedCluster.start({ seed, chunkservers: replication, disksPerChunkserver: 2 });
    const { simulation, chunkserverNames } = cluster;
    for (const name of chunkserverNames) {
      simulation.host(name).disk.setCapacity('disk', 4 * GiB);
      simulation.host(name).disk.setCapacity('disk2', 2 * GiB);
    }
    await simulation.runFor(UNTIL_KNOWN_MS);
    const chunk = new EmptyChunk(cluster);
    await cluster.run(async () => {
      await chunk.client.writeFile('/file', Buffer.alloc(0), { replication });
      chunk.#inode = Number((await chunk.client.stat('/file')).ino);
    });
    await chunk.open();
    return chunk;
  }

  /** Its view as it is. */
  async open(): Promise<void> {
    const pool = this.#pool();
    const wanted = {
      ...{ inode: this.#inode, at: { $case: 'append', value: true } as const },
      ...{ fullHandle: '', suspectedServers: [], operation: undefined },
    };
    const { message } = await this.cluster.run(() =>
      pool.channel('master:9000').call(MasterMethods.openExtent, wanted, CALL),
    );
    const { handle, version, replicas } = message.extent!.chunk!;
    this.#handle = handle;
    this.#version = version;
    this.members = replicas.map(({ address }) => address.replace(':8080', ''));
  }

  get version(): number {
    return this.#version;
  }

  /** Its primary takes the lease, and each member whose disks answer makes its replica. */
  async lead(): Promise<void> {
    const channel = this.#pool().channel(`${this.members[0]}:8080`);
    const request = { handle: this.#handle, version: this.#version };
    void channel.call(ChunkserverDataMethods.getChunkLength, request, CALL).catch(() => {}); // a disk may hang
    await this.cluster.simulation.runFor(MADE_MS);
  }

  /** The first disk fails under another write, so that its server knows; the master learns it with the next heartbeat. */
  async failFirstDisk(name: string): Promise<void> {
    this.disk(name).break({ prefix: 'disk', code: 'EIO' });
    const { client, cluster } = this;
    await cluster.run(() => client.writeFile(`/beside ${name}`, Buffer.alloc(1), CALL));
  }

  append(record: string): Promise<unknown> {
    return this.cluster.run(() => this.client.appendRecord('/file', Buffer.from(record)));
  }

  /** The power of all members fails. */
  crash(): void {
    for (const name of this.members) this.cluster.crash(name, { unsynced: 'lose' });
  }

  async launch(): Promise<void> {
    for (const name of this.members) await this.cluster.launch(name);
    await this.cluster.untilLive(this.members.length);
  }

  /** Of one member the first disk is back and the other away, before anybody else knows of a commit. */
  async swapDisks(name: string): Promise<void> {
    this.crash();
    this.disk(name).repair('disk');
    this.disk(name).break({ prefix: 'disk2', code: 'EIO' });
    await this.launch();
  }

  async readAtRest(): Promise<string> {
    await this.cluster.simulation.runFor(UNTIL_AT_REST_MS);
    return (await this.cluster.run(() => this.client.readFile('/file'))).toString();
  }

  disk(name: string) {
    return this.cluster.simulation.host(name).disk;
  }

  /** Of a client that has no connections of before. */
  #pool() {
    this.#poolCount += 1;
    return createRpcPool(this.cluster.simulation.host(`asker ${this.#poolCount}`).start());
  }
}

for (const [index, role] of ['primary', 'secondary'].entries()) {
  test(`one replica: a ${role} that alone has made its own makes no other where the disk of that is lost`, async () => {
    for (const seed of [5, 6]) {
      const chunk = await EmptyChunk.begin(seed, 2);
      const [made, unmade] = [chunk.members[index]!, chunk.members[1 - index]!];
      for (const disk of chunk.cluster.disks) chunk.disk(unmade).hang(disk);
      await chunk.lead();
      chunk.crash();
      chunk.disk(unmade).repair();
      await chunk.launch();
      await chunk.failFirstDisk(made);
      await chunk.append('first;');
      await chunk.swapDisks(made);
      equal(await chunk.readAtRest(), 'first;', `seed ${seed}`);
    }
  });
}

test('one replica: a secondary that made it under a later version makes no other where the disk of that is lost', async () => {
  for (const seed of [5, 6]) {
    const chunk = await EmptyChunk.begin(seed, 3);
    chunk.cluster.crash(chunk.members[2]!, { unsynced: 'lose' });
    await chunk.cluster.simulation.runFor(UNTIL_LEFT_MS);
    await chunk.open();
    equal(chunk.version, 2);
    await chunk.lead();
    const [primary, secondary] = chunk.members;
    await chunk.failFirstDisk(secondary!);
    // The view is brought anew, with a primary that has its replica.
    chunk.cluster.crash(primary!, { unsynced: 'keep' });
    await chunk.cluster.launch(primary!);
    await chunk.cluster.simulation.runFor(UNTIL_SERVING_MS);
    await chunk.append('first;');
    await chunk.swapDisks(secondary!);
    equal(await chunk.readAtRest(), 'first;', `seed ${seed}`);
  }
});

test('one replica: where the disks of all fail under what was acknowledged, nothing is acknowledged in its place', async () => {
  for (const seed of [7, 8]) {
    const chunk = await EmptyChunk.begin(seed, 2);
    const { client, cluster } = chunk;
    await chunk.lead();
    await chunk.append('first;');
    // So that the primary finds out, and lets the lease go, before the master hears of a disk.
    await cluster.simulation.runFor(BEFORE_SWEEP_MS);
    for (const name of chunk.members) chunk.disk(name).break({ prefix: 'disk', code: 'EIO' });
    await cluster.run(() => client.writeFile('/beside', Buffer.alloc(1), CALL));
    await cluster.simulation.runFor(AFTER_SWEEP_MS);
    const outcome = await cluster.run(() =>
      client.appendRecord('/file', Buffer.from('second;'), CALL).then(
        () => 'applied',
        () => 'open',
      ),
    );
    equal(outcome, 'open', `seed ${seed}`);
    chunk.crash();
    for (const name of chunk.members) chunk.disk(name).repair();
    await chunk.launch();
    // What was told to be open may be applied late.
    equal((await chunk.readAtRest()).replace('second;', ''), 'first;', `seed ${seed}`);
  }
});
