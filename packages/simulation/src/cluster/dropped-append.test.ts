/** A mutation that a view has left out stays so, whatever its members have staged, also when they only ever promised that view. */
import { equal, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import {
  ChunkserverDataMethods,
  createRpcPool,
  dataPart,
  type Extent,
  MasterMethods,
  type MutateRequest,
  type OpenExtentRequest,
} from '@cairnfs/protocol';
import { SimulatedCluster } from './simulated-cluster.ts';

const CALL = { timeoutMs: 5_000 };
/** Until a server that is cut off counts as lost, and the view goes on without it. */
const UNTIL_LOST_MS = 40_000;
/** Until one that is back is a member again. */
const UNTIL_BACK_MS = 40_000;
/** Until an open chunk that nobody leads is closed. */
const UNTIL_CLOSED_MS = 150_000;
const OPERATION = { client: new Uint8Array(16).fill(7), number: 1, settledBelow: 0 };

class DroppedAppend {
  readonly cluster: SimulatedCluster;
  readonly #pool;
  #inode = 0;

  constructor(cluster: SimulatedCluster) {
    this.cluster = cluster;
    this.#pool = createRpcPool(cluster.simulation.host('retry').start());
  }

  /** A file of two copies that ends with `first;`, and what its primary and its secondary are called. */
  async begin(): Promise<{ handle: string; primary: string; secondary: string }> {
    const client = this.cluster.client();
    await this.cluster.run(async () => {
      await client.writeFile('/file', Buffer.alloc(0), { replication: 2 });
      this.#inode = Number((await client.stat('/file')).ino);
    });
    const { chunk } = await this.cluster.run(() => this.open({ $case: 'append', value: true }));
    const { handle, replicas } = chunk!;
    await this.cluster.run(() => client.appendRecord('/file', Buffer.from('first;'), CALL));
    const [primary, secondary] = replicas.map(({ address }) => address.replace(':8080', ''));
    return { handle, primary: primary!, secondary: secondary! };
  }

  async open(at: OpenExtentRequest['at'], fullHandle = ''): Promise<Extent> {
    const wanted = { inode: this.#inode, at, fullHandle, suspectedServers: [], operation: undefined };
    const channel = this.#pool.channel('master:9000');
    const { message } = await channel.call(MasterMethods.openExtent, wanted, CALL);
    return message.extent!;
  }

  /** As a client that does not know what became of it: to the chunk it was sent to. */
  async append(handle: string) {
    const { chunk, limit } = await this.open({ $case: 'handle', value: handle });
    const { version, replicas } = chunk!;
    const kind: MutateRequest['kind'] = { $case: 'append', value: true };
    const request = { handle, version, kind, operation: OPERATION, capacity: limit };
    const message = { ...request, data: new Uint8Array(0), checksum: undefined };
    const options = { ...CALL, data: dataPart(Buffer.from('dropped;')) };
    const channel = this.#pool.channel(replicas[0]!.address);
    return channel.call(ChunkserverDataMethods.mutateChunk, message, options);
  }
}

test('dropped append: it is not applied in a chunk that was sealed without it, and opened and changed since', async () => {
  for (const seed of [1, 2, 3]) {
    const cluster = await SimulatedCluster.start({ seed, chunkservers: 2 });
    const { simulation } = cluster;
    const dropped = new DroppedAppend(cluster);
    const { handle, primary, secondary } = await dropped.begin();
    // Staged by both; the primary does not hear of it, and is alone soon.
    simulation.network.cut(secondary, primary);
    const outcome = dropped.append(handle);
    outcome.catch(() => {}); // looked at below
    await simulation.runFor(1_000);
    simulation.network.partition(secondary, ['master', primary]);
    await simulation.runFor(UNTIL_LOST_MS);
    await rejects(outcome);
    // Whoever asks for the size makes the chunk end.
    const client = cluster.client();
    equal((await cluster.run(() => client.locate('/file'))).size, 6);
    simulation.network.heal();
    await simulation.runFor(UNTIL_BACK_MS);
    const { chunks } = await cluster.run(() => client.locate('/file'));
    equal(chunks[0]!.replicas.length, 2, `seed ${seed}: the secondary is not back`);
    // Another one finds no room in it: what follows is another chunk's.
    const next = await cluster.run(() => dropped.open({ $case: 'append', value: true }, handle));
    ok(next.chunk!.handle !== handle);
    // Its client asks for the outcome, and is gone before it has sent it again.
    await cluster.run(() => dropped.open({ $case: 'handle', value: handle }));
    await simulation.runFor(UNTIL_CLOSED_MS);
    await rejects(
      cluster.run(() => dropped.append(handle)),
      { kind: 'CHUNK_SEALED' },
      `seed ${seed}`,
    );
    await cluster.run(() => client.appendRecord('/file', Buffer.from('dropped;'), CALL));
    equal((await cluster.run(() => client.readFile('/file'))).toString(), 'first;dropped;', `seed ${seed}`);
  }
});
