/** Replicas on one simulated disk, through crashes, without a master or a network. */
import { ok } from 'node:assert/strict';
import { crc32c, FsError, type Key, type Seams, type StateStore } from '@cairnfs/base';
import { BufferPool, CHUNK_BYTES_MAX, type ChunkView, type ReplicaReport } from '@cairnfs/protocol';
import { Simulation } from '@cairnfs/sim';
import { CHUNKSERVER_BOUNDS } from '../bounds.ts';
import { commitReplica, lengthAfter, stageMutation } from '../mutation/commit.ts';
import type { StagedMutation } from '../mutation/mutation-log.ts';
import type { Operation } from '../mutation/operation-table.ts';
import { openDisks } from '../store/open-disks.ts';
import type { Replica } from '../store/replica.ts';
import { readBlocks } from '../store/replica-bytes.ts';
import { Replicas } from '../store/replicas.ts';

const HOST = 'chunkserver';

export class TestDisk {
  readonly simulation: Simulation;
  readonly pool = new BufferPool();
  reports: ReplicaReport[] = [];
  replicas!: Replicas;
  seams!: Seams;
  #index!: StateStore;
  /** Bulky values that a damaged index does not find, until they are written anew. */
  readonly #misplaced = new Set<Key>();

  private constructor(seed: number) {
    this.simulation = new Simulation({ seed });
  }

  static async start(seed: number): Promise<TestDisk> {
    const disk = new TestDisk(seed);
    await disk.restart();
    return disk;
  }

  get host() {
    return this.simulation.host(HOST);
  }

  async crash(unsynced: 'lose' | 'random' | 'keep'): Promise<void> {
    this.host.crash({ unsynced });
    await this.restart();
  }

  run<T>(work: () => Promise<T>): Promise<T> {
    return this.simulation.run(work);
  }

  async restart(): Promise<void> {
    const started = this.host.start();
    const openStateStore = async (directory: string): Promise<StateStore> => {
      this.#index = this.#withMisplaced(await started.openStateStore(directory));
      return this.#index;
    };
    const seams = { ...started, openStateStore };
    this.seams = seams;
    await this.run(async () => {
      const { stores } = await openDisks(seams, ['disk']);
      this.replicas = new Replicas({
        ...{ clock: seams.clock, log: seams.log, pool: this.pool, stores },
        ...{ chunkBytes: () => CHUNK_BYTES_MAX, reserveBytes: 0, capacityBytes: undefined },
        cachedMax: CHUNKSERVER_BOUNDS.replicasCachedMax,
        report: (report) => this.reports.push(report),
        diskFailed: () => {},
      });
      await this.replicas.takeStock();
    });
  }

  /** An empty replica under a view of version 1. */
  async create(handle: string): Promise<Replica> {
    const view = viewOf(handle, 1, 0);
    const replica = this.replicas.create(view, '');
    await this.install(replica, view, 1);
    return replica;
  }

  async install(replica: Replica, view: ChunkView, term: number): Promise<void> {
    replica.log.install({ version: view.version, term, base: view.baseSequence });
    await this.run(() => new Promise<void>((durable, failed) => replica.journalView(view, durable, failed)));
  }

  /** Everything is in the index, and is asked of it anew. */
  async fold(): Promise<void> {
    for (const { ledger } of this.replicas.stores) await this.run(() => ledger.checkpoint());
  }

  /** Flips a bit of a value in the index, or takes the value away. */
  async damage(key: Key, how: 'flip' | 'lose' = 'flip'): Promise<void> {
    const value = this.#index.get(key)?.slice();
    ok(value !== undefined && value.length > 2, 'there is nothing to damage');
    value[2]! ^= 1;
    await this.run(() => this.#index.write([{ key, value: how === 'lose' ? undefined : value }]));
  }

  /** The bytes of a bulky value are where they were, and the index does not say where. */
  misplace(key: Key): void {
    ok(this.#index.get(key) !== undefined, 'there is nothing to misplace');
    this.#misplaced.add(key);
  }

  #withMisplaced(index: StateStore): StateStore {
    const checkPlace = (key: Key) => {
      if (!this.#misplaced.has(key)) return;
      throw new FsError('DAMAGED', 'the index entry of a value does not match its checksum');
    };
    return {
      get: (key) => {
        checkPlace(key);
        return index.get(key);
      },
      load: (key) => {
        checkPlace(key);
        return index.load(key);
      },
      range: (start, end, limit) => index.range(start, end, limit),
      write: async (changes) => {
        const all = [...changes];
        await index.write(all);
        for (const { key } of all) this.#misplaced.delete(key);
      },
      flushed: () => index.flushed(),
      sizeBytes: () => index.sizeBytes(),
      close: () => index.close(),
    };
  }

  /** What is under `from` in the index comes under `to` too, as when pages are mixed up. */
  async mixUp(from: Key, to: Key): Promise<void> {
    const value = this.#index.get(from)?.slice();
    ok(value !== undefined, 'there is nothing to mix up');
    await this.run(() => this.#index.write([{ key: to, value }]));
  }

  /** Committed bytes as a reader gets them. */
  async content(replica: Replica): Promise<Uint8Array> {
    const { committedLength } = replica.log;
    if (committedLength === 0) return new Uint8Array(0);
    const range = { offset: 0, end: committedLength };
    const { memory } = await this.run(() => readBlocks(replica, range, this.pool));
    const bytes = memory.bytes.slice(0, committedLength);
    memory.release();
    return bytes;
  }
}

export function stage(replica: Replica, offset: number, bytes: Uint8Array, operation?: Operation): StagedMutation {
  const { log } = replica;
  const mutation: StagedMutation = {
    ...{ sequence: log.stagedSequence + 1, offset, bytes, checksum: crc32c(bytes), isAppend: false },
    ...{ operation, lengthAfter: lengthAfter(log, offset, bytes.length), isDurable: false, isGone: false },
  };
  stageMutation(replica, mutation, { nowMs: 0, durable: () => {}, failed: () => {} });
  return mutation;
}

/** Commits all that is durable. */
export function commitDurable(replica: Replica): void {
  commitReplica(replica, replica.log.durableSequence);
}

export function viewOf(handle: string, version: number, baseSequence: number): ChunkView {
  return {
    handle,
    version,
    members: [1],
    addresses: ['a:1'],
    baseSequence,
    minimum: 1,
    sealed: false,
    baseLength: undefined,
    lease: 0,
    disks: [],
  };
}
