/** A chunkserver, put together: disks, replicas, the parts over them, and the port they are reached at. */
import type { Address, Seams } from '@cairnfs/base';
import {
  BufferPool,
  CHUNK_BYTES_MAX,
  type ChunkStreams,
  createRpcPool,
  createRpcServer,
  type ReplicaReport,
  type RpcServer,
} from '@cairnfs/protocol';
import { Clones } from './clone/clones.ts';
import type { ChunkserverConfig } from './config.ts';
import { Changes } from './control/changes.ts';
import { Heartbeat } from './control/heartbeat.ts';
import { MasterLink } from './control/master-link.ts';
import { Quarantine } from './control/quarantine.ts';
import { identityOf, type Session } from './control/registration.ts';
import { Mutations } from './mutation/mutations.ts';
import { Reads } from './read/reads.ts';
import { type ChunkserverHealth, healthOf } from './serve/health.ts';
import { registerCalls } from './serve/register-calls.ts';
import { ServerLease } from './serve/server-lease.ts';
import { type ChunkserverStatistics, readStatistics } from './serve/statistics.ts';
import { closeDisks, openDisks } from './store/open-disks.ts';
import { Replicas } from './store/replicas.ts';
import { GrpcStreams } from './streams/grpc-streams.ts';
import { Uploads } from './upload/uploads.ts';
import { Absences } from './view/absences.ts';

export const SOFTWARE_VERSION = '0.1.0';

export interface Chunkserver {
  readonly address: Address;
  /** Its handlers serve gRPC too. */
  readonly rpc: RpcServer;
  readonly chunkStreams: ChunkStreams;
  health(): ChunkserverHealth;
  statistics(): ChunkserverStatistics;
  /** Finishes what is under way and checkpoints, so that the next start replays nothing. */
  close(): Promise<void>;
}

/**
 * Starts a chunkserver on `config.disks`; it is reachable when the promise resolves, and serves once a master answered.
 *
 * @throws FsError DAMAGED, DISK_FAILED  no disk is left: one that cannot be used is left out alone.
 * @throws FsError CLUSTER_MISMATCH  the disks belong to different servers.
 * @throws DiskError EBUSY  another process uses a disk's folder.
 */
export async function startChunkserver(seams: Seams, config: ChunkserverConfig): Promise<Chunkserver> {
  const { clock, log, network, random } = seams;
  const { stores, lost, isWhole } = await openDisks(seams, config.disks, config);
  try {
    const { serverId } = identityOf(stores);
    const buffers = new BufferPool({ allocatePages: seams.allocatePages });
    const peers = createRpcPool({ clock, random, network, log, buffers, isServer: true });
    const { bounds } = config;
    const limits = { answerBytesMax: bounds.answerBytesMax };
    const rpc = createRpcServer({ clock, log, fatal: seams.fatal, buffers, limits });
    const master = new MasterLink(peers, config.masters);
    const lease = new ServerLease(clock);
    const changes = new Changes(bounds);
    const report = (change: ReplicaReport): void => changes.note(change);
    const { capacityBytes, reserveBytes, quarantineGraceMs: graceMs } = config;
    let hasDiskFailed = false;
    const diskFailed = (): void => {
      hasDiskFailed = true;
      buffers.abandonTaken(); // one that hangs may still read them, or write to them
    };
    let session: Session | undefined;
    const chunkBytes = (): number => session?.chunkBytes ?? CHUNK_BYTES_MAX;
    const absences = new Absences(clock);
    const replicas = new Replicas({
      ...{ clock, log, pool: buffers, stores, chunkBytes, reserveBytes, capacityBytes, report, diskFailed },
      lost: ({ handle, log }) => absences.lost(handle, log.promisedVersion),
      isFileTaken: (handle) => uploads.isActive(handle) || leaving(handle) !== undefined,
      strayed: (store, name) => quarantine.strayed(store, name),
      cachedMax: bounds.replicasCachedMax,
    });
    const leaving = (handle: string): Promise<void> | undefined =>
      quarantine.leaving(handle) ?? clones.arriving(handle);
    const ownId = (): number => session?.serverId ?? serverId;
    const uploads: Uploads = new Uploads({
      ...{ clock, lease, replicas, peers, leaving },
      abandoned: (store, handle) => quarantine.strayed(store, handle),
      serverId: ownId,
      checkAbsent: (handle, version) => absences.check(handle, version),
      uploadsMax: bounds.uploadsMax,
    });
    const isActive = (handle: string): boolean => uploads.isActive(handle);
    const isReceiving = (handle: string): boolean => clones.isReceiving(handle);
    const moved = (handle: string): void => uploads.forget(handle);
    const quarantine: Quarantine = new Quarantine({
      ...{ clock, log, replicas, graceMs, report, isActive, isReceiving, moved },
      isUploading: (handle) => uploads.has(handle),
      leaves: ({ handle, log }) => absences.leaves(handle, log.promisedVersion),
    });
    const mutations = new Mutations({
      ...{ clock, log, replicas, absences, peers, master, chunkBytes },
      serverId: ownId,
      session: () => session?.session ?? 0,
      chunkLeaseMs: () => session?.chunkLeaseMs ?? 0,
      mayServe: () => lease.holds(),
      serverLeaseLeftMs: () => lease.leftMs(),
      mayNotServe: () => lease.refusal(),
      isWhole: () => isWhole,
      mayHide: (handle) => lost.length > 0 || replicas.mayHide(handle),
    });
    const reads = new Reads({ replicas, mutations, lease, pool: buffers });
    const clones = new Clones({
      ...{ lease, peers, pool: buffers, quarantine, replicas, report, uploads },
      serverId: ownId,
      clonesMax: bounds.clonesMax,
    });
    await replicas.takeStock();
    registerCalls(rpc, { clones, mutations, reads, replicas, uploads, serverId: ownId });
    const listener = await network.listen(config.listen, (connection) => rpc.accept(connection));
    const address = config.advertise ?? listener.address;
    const heartbeat = new Heartbeat({
      ...{ seams, master, stores, lost, address, lease, replicas, mutations, changes, quarantine },
      ...{ host: config.host, rack: config.rack, softwareVersion: SOFTWARE_VERSION },
      inventoryPartMax: bounds.inventoryPartMax,
      registered: (made) => {
        session = made;
      },
      sweep: () => {
        uploads.sweep();
        quarantine.sweep();
        mutations.secondaries.sweep();
        if (hasDiskFailed) heartbeat.wantInventory();
        hasDiskFailed = false;
      },
    });
    heartbeat.start();
    log.info('chunkserver listens', { address, disks: config.disks });
    let closing: Promise<void> | undefined;
    const close = async () => {
      await heartbeat.stop();
      await listener.close();
      rpc.close();
      peers.close();
      mutations.close();
      await quarantine.close();
      await replicas.close();
      const fault = await closeDisks(stores, log);
      if (fault !== undefined) throw fault;
    };
    return {
      address,
      rpc,
      chunkStreams: new GrpcStreams({ serverId: ownId, reads, replicas, uploads }),
      health: () => healthOf({ serverId: ownId, master, lease, stores, lost }),
      statistics: () => readStatistics({ rpc, lease, replicas, lost, quarantine, mutations, reads, uploads }),
      close: () => {
        closing ??= close();
        return closing;
      },
    };
  } catch (error) {
    await closeDisks(stores, log);
    throw error;
  }
}
