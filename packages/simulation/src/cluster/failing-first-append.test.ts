/** Disks that fail under the first append to a file: it is applied once, and soon, elsewhere where nothing of it is staged. */
import { equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { ChunkserverDataMethods, createRpcPool, MasterMethods } from '@cairnfs/protocol';
import type { DiskFault } from '@cairnfs/sim';
import { heal } from './heal.ts';
import { SimulatedCluster, type SimulatedClusterOptions } from './simulated-cluster.ts';

const CALL = { timeoutMs: 5_000 };
/** What an append takes that meets nothing but a failed disk. */
const SOON_MS = 2_000;
/** What it takes when the one copy that may hold it has to be multiplied first. */
const UNTIL_COPIED_MS = 10_000;
/** A call's patience, by default. */
const PATIENCE_MS = 60_000;
/** Until the master knows the disks of all servers, and what is not on them any more. */
const UNTIL_KNOWN_MS = 5_000;
const HEAL_LIMIT_MS = 120_000;
/** Until the server with the failed disk is dead and what it had is repaired. */
const UNTIL_REPAIRED_MS = 180_000;

/** When the disk fails: it has before; with the first write of the replica; with the sync behind that. */
const POINTS = ['before', 'write', 'sync'] as const;
type Point = (typeof POINTS)[number];

function startCluster(options: SimulatedClusterOptions): Promise<SimulatedCluster> {
  return SimulatedCluster.start({ ...options, master: { garbageGraceMs: 10_000 } });
}

/** An empty disk in place of one of the server's: it never knows again by itself that it never had a replica. */
async function replaceDisk(cluster: SimulatedCluster, name: string, directory: string): Promise<void> {
  const { disk } = cluster.simulation.host(name);
  cluster.crash(name, { unsynced: 'keep' });
  disk.wipe(directory);
  const { disk: seam } = cluster.simulation.host(name).start();
  await cluster.run(async () => {
    await seam.makeDirectory(directory);
    await (await seam.open(`${directory}/new-disk`, 'openOrCreate')).close();
    await seam.syncDirectory(directory);
  });
  cluster.crash(name, { unsynced: 'keep' });
  await cluster.launch(name);
}

class FirstAppend {
  readonly cluster: SimulatedCluster;
  readonly client;
  /** Of the chunk, the primary first. */
  members: string[] = [];

  constructor(cluster: SimulatedCluster) {
    this.cluster = cluster;
    this.client = cluster.client();
  }

  /** A file whose first chunk is placed, and has no replica yet, unless it `isLed`: then each is empty. */
  static async begin(options: SimulatedClusterOptions, replication: number, isLed = false): Promise<FirstAppend> {
    return FirstAppend.on(await startCluster(options), replication, isLed);
  }

  static async on(started: SimulatedCluster, replication: number, isLed = false): Promise<FirstAppend> {
    const first = new FirstAppend(started);
    const { cluster, client } = first;
    const pool = createRpcPool(cluster.simulation.host('asker').start());
    await cluster.run(async () => {
      await client.writeFile('/file', Buffer.alloc(0), { replication });
      const { ino } = await client.stat('/file');
      const wanted = {
        ...{ inode: Number(ino), at: { $case: 'append', value: true } as const },
        ...{ fullHandle: '', suspectedServers: [], operation: undefined },
      };
      const { message } = await pool.channel('master:9000').call(MasterMethods.openExtent, wanted, CALL);
      const { handle, version, replicas } = message.extent!.chunk!;
      first.members = replicas.map(({ address }) => address.replace(':8080', ''));
      if (!isLed) return;
      const primary = pool.channel(replicas[0]!.address);
      await primary.call(ChunkserverDataMethods.getChunkLength, { handle, version }, CALL);
    });
    return first;
  }

  async breakDisk(host: string, point: Point, prefix = ''): Promise<void> {
    const { simulation } = this.cluster;
    const fault: DiskFault = { prefix, code: 'EIO', ...(point === 'before' ? {} : { operation: point }) };
    simulation.host(host).disk.break(fault);
    if (point === 'before') await simulation.runFor(3_000);
  }

  /** @returns how long it took. */
  async append(record: string): Promise<number> {
    const { clock } = this.cluster.simulation;
    const beganMs = clock.nowMs();
    await this.cluster.run(() => this.client.appendRecord('/file', Buffer.from(record), { timeoutMs: PATIENCE_MS }));
    return clock.nowMs() - beganMs;
  }

  async read(): Promise<string> {
    return (await this.cluster.run(() => this.client.readFile('/file'))).toString();
  }

  /** It is started anew on the disk as it was left, in order again. */
  async restart(host: string): Promise<void> {
    this.cluster.crash(host, { unsynced: 'keep' });
    this.cluster.simulation.host(host).disk.repair();
    await this.cluster.launch(host);
  }
}

for (const role of ['primary', 'secondary'] as const) {
  for (const replication of [2, 3]) {
    test(`failing first append: of ${replication} copies the disk of the ${role} fails, whenever it does`, async () => {
      for (const [index, point] of POINTS.entries()) {
        const first = await FirstAppend.begin({ seed: 40 + index, chunkservers: 5 }, replication);
        const failing = first.members[role === 'primary' ? 0 : 1]!;
        await first.breakDisk(failing, point);
        const tookMs = await first.append('first;');
        ok(tookMs < SOON_MS, `${point}: ${tookMs} ms`);
        equal(await first.read(), 'first;', point);
        // Whatever of the first chunk has become durable on that disk counts no more.
        await first.restart(failing);
        const { cluster, client } = first;
        equal(await cluster.run(() => heal(cluster, client, { limitMs: HEAL_LIMIT_MS })), undefined, point);
        await first.append('second;');
        equal(await first.read(), 'first;second;', point);
      }
    });
  }
}

test('failing first append: it fails under the mutation itself, which others may have staged', async () => {
  for (const role of [0, 1]) {
    for (const point of ['write', 'sync'] as const) {
      const first = await FirstAppend.begin({ seed: 60, chunkservers: 5 }, 2, true);
      await first.breakDisk(first.members[role]!, point);
      const tookMs = await first.append('first;');
      ok(tookMs < UNTIL_COPIED_MS, `member ${role}, ${point}: ${tookMs} ms`);
      equal(await first.read(), 'first;', point);
    }
  }
});

test('failing first append: the disk fails that has the most room, and the server has another', async () => {
  for (const chunkservers of [2, 3]) {
    for (const point of POINTS) {
      for (const failing of [0, 1]) {
        const first = await FirstAppend.begin({ seed: 50, chunkservers, disksPerChunkserver: 2 }, 2);
        await first.breakDisk(first.members[failing]!, point, 'disk/');
        const tookMs = await first.append('first;');
        ok(tookMs < SOON_MS, `${chunkservers} servers, member ${failing}, ${point}: ${tookMs} ms`);
        await first.append('second;');
        equal(await first.read(), 'first;second;', point);
      }
    }
  }
});

test('failing first append: a member tells that it never had a replica, whatever became of its other disks before', async () => {
  for (const failing of [0, 1]) {
    const cluster = await startCluster({ seed: 53, chunkservers: 2, disksPerChunkserver: 2 });
    for (const name of cluster.chunkserverNames) await replaceDisk(cluster, name, 'disk2');
    await cluster.untilLive(2);
    await cluster.simulation.runFor(UNTIL_KNOWN_MS);
    const first = await FirstAppend.on(cluster, 2);
    await first.breakDisk(first.members[failing]!, 'write', 'disk/');
    await cluster.run(() => first.client.writeFile('/beside', Buffer.alloc(1)));
    await cluster.simulation.runFor(UNTIL_KNOWN_MS);
    const tookMs = await first.append('first;');
    ok(tookMs < SOON_MS, `member ${failing}: ${tookMs} ms`);
    equal(await first.read(), 'first;');
  }
});

test('failing first append: a primary that cannot tell the master is asked again', async () => {
  for (const point of POINTS) {
    const first = await FirstAppend.begin({ seed: 51, chunkservers: 4 }, 2);
    const { simulation } = first.cluster;
    const [primary, secondary] = first.members;
    // It has its lease when it learns that its disk failed, and the master out of reach for 8 s.
    simulation.network.slow(primary!, secondary!, [300, 300]);
    await first.breakDisk(primary!, point);
    simulation.clock.after(200, () => simulation.network.partition(primary!, 'master'));
    simulation.clock.after(8_200, () => simulation.network.heal());
    await first.append('first;');
    equal(await first.read(), 'first;', point);
  }
});

test('failing first append: where no other server is left it fails, and is applied once when the disk is back', async () => {
  const first = await FirstAppend.begin({ seed: 52, chunkservers: 2 }, 2);
  const [primary] = first.members;
  await first.breakDisk(primary!, 'sync');
  const { client, cluster } = first;
  const refused = await cluster.run(() =>
    client.appendRecord('/file', Buffer.from('refused;'), { timeoutMs: 20_000 }).then(
      () => undefined,
      (error: unknown) => (error as { code?: string }).code,
    ),
  );
  equal(refused, 'ENOSPC');
  await first.restart(primary!);
  await cluster.simulation.runFor(5_000);
  await first.append('first;');
  equal(await first.read(), 'first;');
});

test('failing first append: when all is repaired the file is appended to as any other, whatever became of the first', async () => {
  const file = await FirstAppend.begin({ seed: 31, chunkservers: 4 }, 2, true);
  const { cluster, client, members } = file;
  cluster.simulation.host(members[1]!).disk.break({ prefix: '', operation: 'write', code: 'EIO' });
  // It may fail, or be applied: the primary has staged it.
  const first = await cluster.run(() =>
    client.appendRecord('/file', Buffer.from('first;'), CALL).then(
      () => 'first;',
      () => undefined,
    ),
  );
  await cluster.simulation.runFor(UNTIL_REPAIRED_MS);
  await file.append('later;');
  const text = await file.read();
  if (first === undefined) equal(text.endsWith('later;'), true);
  else equal(text, 'first;later;');
});
