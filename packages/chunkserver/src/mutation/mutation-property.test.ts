import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFsError, toFsError } from '@cairnfs/base';
import type { MutateReply } from '@cairnfs/protocol';
import fc from 'fast-check';
import { MutationCluster } from './testing/mutation-cluster.ts';

type Fault = { kind: 'crash' | 'cut' | 'diskFailure' | 'viewChange'; server: number; atMs: number; forMs: number };
type Acknowledged = { text: string; reply: MutateReply };

const CLIENTS = 4;

async function append(cluster: MutationCluster, client: number, number: number): Promise<Acknowledged> {
  const text = `<client ${client} record ${number}>`;
  const data = Buffer.from(text);
  const operation = { client: Buffer.alloc(16, client), number, settledBelow: number };
  for (;;) {
    try {
      const request = { kind: { $case: 'append' as const, value: true }, operation, capacity: 0 };
      return { text, reply: await cluster.mutate(request, data) };
    } catch (error) {
      const { reaction, kind } = toFsError(error);
      if (reaction === 'never') throw error;
      assert.ok(!isFsError(error, 'INTERNAL'), `${kind}: ${toFsError(error).message}`);
      await cluster.time.sleep(100);
      // What a client does through OpenExtent: a primary that stays silent makes the master change the view.
      const { members } = cluster.master.view;
      const primary = cluster.server(members[0]!);
      if ((!primary.isUp || primary.isCut) && cluster.time.chance() < 0.3) {
        await cluster.master.change([primary.id]).catch(() => {});
      }
    }
  }
}

async function runCluster(
  seed: number,
  faults: readonly Fault[],
  recordCount: number,
  { endsWhereLed = false }: { endsWhereLed?: boolean } = {},
): Promise<{ cutCount: number }> {
  const cluster = new MutationCluster({ seed, serverCount: 4 });
  cluster.master.endsWhereLed = endsWhereLed;
  cluster.duplicateRatio = 0.1;
  for (const { kind, server, atMs, forMs } of faults) {
    const target = cluster.server(server);
    cluster.time.after(atMs, () => {
      if (kind === 'viewChange') void cluster.master.change([]).catch(() => {});
      else if (kind === 'crash' && target.isUp) {
        target.crash();
        cluster.time.after(forMs, () => target.start());
      } else if (kind === 'diskFailure' && target.isUp && target.journal.failure === undefined) {
        const { incarnation } = target;
        target.failDisk();
        cluster.time.after(forMs, () => {
          if (!target.isUp || target.incarnation !== incarnation) return;
          target.crash();
          target.start();
        });
      } else if (kind === 'cut') {
        target.isCut = true;
        cluster.time.after(forMs, () => {
          target.isCut = false;
        });
      }
    });
  }
  const acknowledged: Acknowledged[] = [];
  let running = CLIENTS;
  let failure: unknown;
  for (let client = 1; client <= CLIENTS; client += 1) {
    void (async () => {
      for (let number = 1; number <= recordCount; number += 1) {
        acknowledged.push(await append(cluster, client, number));
        await cluster.time.sleep(cluster.time.chance() * 100);
      }
    })()
      .catch((error) => {
        failure = error;
      })
      .finally(() => {
        running -= 1;
      });
  }
  await cluster.time.run(() => running === 0 || failure !== undefined, 300_000);
  if (failure !== undefined) throw failure;
  assert.equal(running, 0, `clients still wait at ${cluster.time.nowMs} ms`);
  // A replica that restarted is settled by the next one who opens the chunk; then commit points and idle leases settle.
  await cluster.time.run(() => false, cluster.time.nowMs + 30_000);
  let isSettled = false;
  void append(cluster, CLIENTS + 1, 1).then((last) => {
    acknowledged.push(last);
    isSettled = true;
  });
  await cluster.time.run(() => isSettled, cluster.time.nowMs + 300_000);
  await cluster.time.run(() => false, cluster.time.nowMs + 30_000);
  checkHistory(cluster, acknowledged);
  return cluster.master;
}

function checkHistory(cluster: MutationCluster, acknowledged: readonly Acknowledged[]): void {
  const { members, version } = cluster.master.view;
  const replicas = members.map((id) => cluster.server(id)).filter(({ isUp, isCut }) => isUp && !isCut);
  const [first] = replicas;
  assert.ok(first?.replica !== undefined);
  const content = Buffer.from(first.replica.content).toString();
  for (const { id, replica } of replicas) {
    assert.ok(replica !== undefined, `server ${id} has no replica`);
    assert.equal(replica.log.version, version);
    assert.deepEqual(replica.log.staged, [], `server ${id} is not settled`);
    assert.equal(Buffer.from(replica.content).toString(), content, `server ${id} differs from server ${first.id}`);
    assert.deepEqual(
      replica.applied.map(({ sequence }) => sequence),
      Array.from({ length: replica.log.committedSequence }, (_, index) => index + 1),
    );
  }
  let length = 0;
  for (const { text, reply } of acknowledged) {
    assert.equal(content.slice(reply.offset, reply.offset + text.length), text, `lost: ${text} at ${reply.offset}`);
    assert.equal(content.split(text).length - 1, 1, `applied more than once: ${text}`);
    length += text.length;
  }
  assert.equal(content.length, length, 'bytes that nobody was told of');
}

const fault = fc.record({
  kind: fc.constantFrom<Fault['kind']>('crash', 'crash', 'cut', 'diskFailure', 'diskFailure', 'viewChange'),
  server: fc.integer({ min: 1, max: 4 }),
  atMs: fc.integer({ min: 200, max: 3_000 }),
  forMs: fc.integer({ min: 1, max: 20_000 }),
});

test('mutations: without faults every append is applied once, in one order, on every member', async () => {
  await runCluster(1, [], 20);
});

async function runFaults(numRuns: number, options: { endsWhereLed: boolean }): Promise<{ cutCount: number }> {
  let cutCount = 0;
  await fc.assert(
    fc.asyncProperty(fc.nat(), fc.array(fault, { maxLength: 4 }), async (seed, faults) => {
      // Two of four members stay, so that the chunk keeps its minimum.
      const kept = faults.filter(({ server }) => server > 2 || seed % 2 === 0).slice(0, 4);
      const gone = new Set<number>();
      const bearable = kept.filter(({ server, kind }) => {
        if (kind === 'viewChange') return true;
        if (!gone.has(server) && gone.size === 2) return false;
        gone.add(server);
        return true;
      });
      const ended = await runCluster(seed, bearable, 12, options);
      cutCount += ended.cutCount;
    }),
    { numRuns, seed: 20_260_117, includeErrorInReport: true },
  );
  return { cutCount };
}

test('mutations: crashes, cuts, failing disks, duplicates and view changes lose nothing, repeat nothing and leave replicas equal', async () => {
  await runFaults(200, { endsWhereLed: false });
});

test('mutations: so they do where a view drops what its primary says that it did not commit', async () => {
  const { cutCount } = await runFaults(100, { endsWhereLed: true });
  assert.ok(cutCount > 10, `${cutCount} views dropped something`);
});
