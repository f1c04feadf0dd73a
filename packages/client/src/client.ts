/** The SDK's front: files of a cluster, in the manner of `node:fs/promises`. Here: its parts, and calls on the cluster itself. */
import { FsError, isFsError, UNREACHABLE } from '@cairnfs/base';
import {
  type CheckReply,
  ChunkserverDataMethods,
  createRpcPool,
  FRAME_DATA_BYTES_MAX,
  type GetClusterPressureReply,
  type GetClusterStatusReply,
  MasterMethods,
  otherKindOfServer,
  type ReceivedData,
  type RepairStatus,
  ReplicaState,
  type RpcPool,
  verifyData,
} from '@cairnfs/protocol';
import { MasterCalls } from './call/master-calls.ts';
import { naming } from './errors.ts';
import { FileCalls } from './file-calls.ts';
import { DATA_ATTEMPT_MS } from './limits.ts';
import type { CallOptions, ClientOptions, ClientSeams } from './options.ts';
import { endsInSlash } from './path.ts';
import { FileReader } from './read/file-reader.ts';
import { LocatedFile } from './read/located-file.ts';
import { noCopyInReach } from './read/no-copy-in-reach.ts';
import { ReplicaReader } from './read/replica-reader.ts';
import { Mutations } from './write/mutations.ts';
import { returnSpareUploads } from './write/upload.ts';

export type ClusterStatus = GetClusterStatusReply & { readonly repair: RepairStatus };
export type ClusterPressure = GetClusterPressureReply;
export type CheckPage = CheckReply;

export interface LocatedReplica {
  readonly serverId: number;
  readonly address: string;
  readonly state: 'live' | 'unreachable' | 'missing' | 'corrupt' | 'copying';
}

export interface LocatedChunk {
  /** In the file. */
  readonly offset: number;
  readonly length: number;
  /** Of the chunk itself: more than `length` where the file was cut. While it is open, it may have grown since. */
  readonly chunkLength: number;
  readonly handle: string;
  readonly version: number;
  readonly open: boolean;
  /** Of mutations, up to which the chunk holds all; undefined while it is open. */
  readonly sequence: number | undefined;
  /** The first is the primary while the chunk is open. */
  readonly replicas: readonly LocatedReplica[];
}

const REPLICA_STATES: Readonly<Record<number, LocatedReplica['state']>> = {
  [ReplicaState.REPLICA_STATE_LIVE]: 'live',
  [ReplicaState.REPLICA_STATE_UNREACHABLE]: 'unreachable',
  [ReplicaState.REPLICA_STATE_MISSING]: 'missing',
  [ReplicaState.REPLICA_STATE_CORRUPT]: 'corrupt',
  [ReplicaState.REPLICA_STATE_COPYING]: 'copying',
};

export class CairnClient extends FileCalls {
  readonly #pool: RpcPool;
  readonly #calls: MasterCalls;

  constructor(seams: ClientSeams, options: ClientOptions) {
    if (options.masters.length === 0)
      throw new FsError('INVALID_ARGUMENT', 'no master was named: give at least one host:port');
    const pool = createRpcPool(seams);
    const calls = new MasterCalls(seams, pool, options);
    const reader = new FileReader(new ReplicaReader(seams, pool));
    super({ calls, reader, mutations: new Mutations(calls) });
    this.#pool = pool;
    this.#calls = calls;
  }

  /** Ends all connections; what is under way fails with CANCELLED. */
  async close(): Promise<void> {
    await returnSpareUploads(this.#calls);
    this.#calls.close();
  }

  // ---- The cluster ----

  async clusterStatus(options: CallOptions = {}): Promise<ClusterStatus> {
    const status = await this.#calls.call(MasterMethods.getClusterStatus, {}, this.#calls.deadline(options));
    if (status.repair === undefined) throw new FsError('BAD_FRAME', 'the master told nothing of repair');
    return { ...status, repair: status.repair };
  }

  clusterPressure(options: CallOptions = {}): Promise<ClusterPressure> {
    return this.#calls.call(MasterMethods.getClusterPressure, {}, this.#calls.deadline(options));
  }

  /**
   * Takes a chunkserver that will not come back off the list. Not an error when it is off it already.
   *
   * @param serverId as `clusterStatus` names it.
   * @throws FsError EINVAL  it is not dead, chunks of files count on it still, or it never was a server of the cluster.
   */
  async forgetServer(serverId: number, options: CallOptions = {}): Promise<void> {
    await this.#calls.call(MasterMethods.forgetServer, { serverId }, this.#calls.deadline(options));
  }

  /** A read-only verdict over everything below `path`, page by page. */
  async *check(path: string, options: CallOptions = {}): AsyncGenerator<CheckPage> {
    const plain = await naming('check', path, () => this.plainPath(path, options));
    let cursor = '';
    do {
      const request = { path: plain, cursor, limit: 0 };
      const page = await naming('check', path, () =>
        this.#calls.call(MasterMethods.check, request, this.#calls.deadline(options)),
      );
      yield page;
      cursor = page.nextCursor;
    } while (cursor !== '');
  }

  /** The chunks of a file and where their replicas are. */
  locate(path: string, options: CallOptions = {}): Promise<{ size: number; chunks: LocatedChunk[] }> {
    return naming('locate', path, async () => {
      if (endsInSlash(path)) await this.refuseAsFile(path, options);
      const file = new LocatedFile(this.#calls, { path, inode: 0 });
      const layout = await file.layout(0, Number.MAX_SAFE_INTEGER, this.#calls.deadline(options), true);
      const chunks = layout.segments.flatMap(({ extent, length }): LocatedChunk[] => {
        if (extent?.chunk === undefined) return [];
        const { handle, version, open, sequence, length: chunkLength } = extent.chunk;
        const replicas = extent.chunk.replicas.map(({ serverId, address, state }) => {
          return { serverId, address, state: REPLICA_STATES[state] ?? ('unreachable' as const) };
        });
        return [{ offset: extent.offset, length, chunkLength, handle, version, open, sequence, replicas }];
      });
      return { size: layout.size ?? 0, chunks };
    });
  }

  /**
   * The bytes of one copy, whichever is in reach.
   *
   * @throws FsError UNAVAILABLE  none is.
   */
  async *readChunk(chunk: LocatedChunk, options: CallOptions = {}): AsyncGenerator<Uint8Array> {
    let failure: FsError | undefined;
    for (const { address } of chunk.replicas.filter((replica) => replica.address !== '')) {
      let hasBegun = false;
      try {
        for await (const bytes of this.readReplica(chunk, address, options)) {
          hasBegun = true;
          yield bytes;
        }
        return;
      } catch (error) {
        if (hasBegun || !isFsError(error, ...UNREACHABLE)) throw error;
        failure = error;
      }
    }
    throw noCopyInReach(chunk, failure);
  }

  /** The bytes of one copy, from that server and no other. */
  async *readReplica(chunk: LocatedChunk, address: string, options: CallOptions = {}): AsyncGenerator<Uint8Array> {
    for (let offset = 0; offset < chunk.length; ) {
      const length = Math.min(FRAME_DATA_BYTES_MAX, chunk.length - offset);
      const request = {
        handle: chunk.handle,
        version: chunk.version,
        offset,
        length,
        knownLength: chunk.chunkLength,
        knownSequence: chunk.sequence,
      };
      const timeoutMs = this.#calls.deadline(options).attemptMs(DATA_ATTEMPT_MS);
      const { data } = await this.#pool
        .channel(address)
        .call(ChunkserverDataMethods.readChunk, request, { timeoutMs, signal: options.signal })
        .catch((error: unknown) => {
          options.signal?.throwIfAborted();
          throw ofChunkserver(error, address);
        });
      const bytes = data === undefined ? new Uint8Array(0) : copyOf(data);
      if (bytes.length === 0) return;
      yield bytes;
      offset += bytes.length;
    }
  }
}

/** @throws FsError CHECKSUM_MISMATCH */
function copyOf(data: ReceivedData): Uint8Array {
  try {
    verifyData(data);
    return data.memory.keep(data.bytes);
  } finally {
    data.memory.release();
  }
}

function ofChunkserver(error: unknown, address: string): unknown {
  if (!isFsError(error) || otherKindOfServer(error, ChunkserverDataMethods.readChunk) !== 'master') return error;
  return new FsError(error.kind, `${address} is the master: it holds no chunks`, { cause: error });
}

/** The core, over any seams; `connect` of `@cairnfs/client/node` wires the real ones. */
export function createClient(seams: ClientSeams, options: ClientOptions): CairnClient {
  return new CairnClient(seams, options);
}
