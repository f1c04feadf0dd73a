/** Uploads, quarantine and clones over one simulated disk, called directly: no master, no network. */
import { crc32c, momentOf } from '@cairnfs/base';
import {
  type FetchReplicaRequest,
  PooledBytes,
  type ReplicaReport,
  type RpcPool,
  type UploadFrameReply,
} from '@cairnfs/protocol';
import { CHUNKSERVER_BOUNDS } from '../bounds.ts';
import { Clones } from '../clone/clones.ts';
import { Quarantine } from '../control/quarantine.ts';
import { ServerLease } from '../serve/server-lease.ts';
import { Uploads } from '../upload/uploads.ts';
import { TestDisk } from './test-disk.ts';

const LONG_MS = 1e9;
const SERVER_ID = 1;

export interface Frame {
  readonly handle: string;
  readonly offset: number;
  readonly bytes: Uint8Array;
  readonly sync?: boolean;
  /** Server ids. */
  readonly members?: number[];
}

export class TestParts {
  readonly disk: TestDisk;
  readonly uploads: Uploads;
  readonly quarantine: Quarantine;
  readonly clones: Clones;
  readonly reports: ReplicaReport[] = [];

  private constructor(disk: TestDisk, source: TestParts | undefined) {
    this.disk = disk;
    const { replicas, pool, seams } = disk;
    const { clock, log } = seams;
    const lease = new ServerLease(clock);
    lease.renew(momentOf(clock), LONG_MS);
    const report = (change: ReplicaReport) => this.reports.push(change);
    const peers: RpcPool = peersOf(source);
    const leaving = (handle: string) => this.quarantine.leaving(handle) ?? this.clones.arriving(handle);
    const serverId = () => SERVER_ID;
    const { uploadsMax, clonesMax } = CHUNKSERVER_BOUNDS;
    const checkAbsent = () => {};
    this.uploads = new Uploads({
      ...{ clock, lease, replicas, peers, leaving, serverId, checkAbsent, uploadsMax },
      abandoned: (store, handle) => this.quarantine.strayed(store, handle),
    });
    this.quarantine = new Quarantine({
      ...{ clock, log, replicas, report, graceMs: 1_000 },
      isActive: (handle) => this.uploads.isActive(handle),
      isUploading: (handle) => this.uploads.has(handle),
      isReceiving: (handle) => this.clones.isReceiving(handle),
      moved: (handle) => this.uploads.forget(handle),
      leaves: () => {},
    });
    const { uploads, quarantine } = this;
    this.clones = new Clones({
      ...{ lease, peers, pool, quarantine, replicas, report, uploads },
      serverId,
      clonesMax,
    });
  }

  /** @param source what every peer is. */
  static async start(seed: number, source?: TestParts): Promise<TestParts> {
    return new TestParts(await TestDisk.start(seed), source);
  }

  /** Anew over a disk, as after a restart. */
  static over(disk: TestDisk, source?: TestParts): TestParts {
    return new TestParts(disk, source);
  }

  frame({ handle, offset, bytes, sync = false, members = [SERVER_ID] }: Frame): Promise<UploadFrameReply> {
    const request = {
      ...{ handle, version: 1, offset, route: [], fanOut: false, sync, members, uploadId: 'upload' },
    };
    const data = { bytes, checksum: crc32c(bytes), memory: new PooledBytes(bytes) };
    const { signal } = new AbortController();
    return this.uploads.frame(request, data, { deadlineMs: LONG_MS, signal });
  }

  clone(handle: string, version: number, length: number, { sequence = 0, serverId = SERVER_ID } = {}) {
    const { signal } = new AbortController();
    const request = { handle, version, length, sequence, sourceAddress: 'source:1', serverId };
    const context = { signal, deadlineMs: LONG_MS, peer: 'master:1', data: undefined, room: () => undefined };
    return this.clones.receive(request, context);
  }
}

/** A pool in which every address is `source`, called without a network in between. */
function peersOf(source: TestParts | undefined): RpcPool {
  const channel = {
    address: 'source:1',
    call: () => Promise.reject(new Error('these parts call no peer')),
    async *stream(_method: unknown, request: FetchReplicaRequest) {
      for await (const { message, data } of source!.clones.send(request)) {
        const bytes = Buffer.concat(data?.buffers ?? []);
        data?.sent?.();
        const memory = new PooledBytes(bytes);
        yield { message, data: data === undefined ? undefined : { bytes, checksum: data.checksum, memory } };
      }
    },
    close: () => {},
  };
  return { channel: () => channel as unknown as ReturnType<RpcPool['channel']>, close: () => {} };
}
