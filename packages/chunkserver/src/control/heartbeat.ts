/**
 * In touch with the master (docs/protocol.md): registers, then sends heartbeats that renew the server lease and the chunk
 * leases, tell what changed, and bring orders; sends the whole inventory when it is wanted. One loop, so that a session
 * is never used beside its successor.
 */
import { type FsError, momentOf, type Seams, toFsError } from '@cairnfs/base';
import {
  type DiskStatus,
  type HeartbeatReply,
  MasterControlMethods,
  packReplicas,
  type ReplicaReport,
  type Usage,
} from '@cairnfs/protocol';
import { MASTER_PAUSE_MS_MAX, MASTER_PAUSE_MS_MIN, MASTER_TIMEOUT_MS } from '../limits.ts';
import type { Mutations } from '../mutation/mutations.ts';
import type { ServerLease } from '../serve/server-lease.ts';
import type { DiskStore } from '../store/disk-store.ts';
import type { LostDisk } from '../store/open-disks.ts';
import type { Replicas } from '../store/replicas.ts';
import type { Changes } from './changes.ts';
import { inventoryParts } from './inventory.ts';
import type { Quarantine } from './quarantine.ts';
import { type RegistrationOptions, register, type Session } from './registration.ts';

export interface HeartbeatOptions extends RegistrationOptions {
  readonly seams: Pick<Seams, 'clock' | 'machine' | 'log' | 'fatal'>;
  /** Told to the master with the others. */
  readonly lost: readonly LostDisk[];
  readonly lease: ServerLease;
  readonly replicas: Replicas;
  readonly mutations: Mutations;
  readonly changes: Changes;
  readonly quarantine: Quarantine;
  /** Replicas in one part of an inventory. */
  readonly inventoryPartMax: number;
  readonly registered: (session: Session) => void;
  /** Runs before each heartbeat. */
  readonly sweep: () => void;
}

export class Heartbeat {
  readonly #options: HeartbeatOptions;
  readonly #abort = new AbortController();
  #session: Session | undefined;
  #running: Promise<void> = Promise.resolve();
  #isInventoryWanted = true;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
  }

  /** The master should hear again of everything held here. */
  wantInventory(): void {
    this.#isInventoryWanted = true;
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { seams } = this.#options;
    let pauseMs = MASTER_PAUSE_MS_MIN;
    while (!this.#abort.signal.aborted) {
      let waitMs: number;
      try {
        await this.#step();
        waitMs = this.#session?.heartbeatIntervalMs ?? 0;
        pauseMs = MASTER_PAUSE_MS_MIN;
      } catch (error) {
        const fault = toFsError(error);
        this.#failed(fault);
        if (fault.kind === 'CLUSTER_MISMATCH') return;
        waitMs = fault.kind === 'STALE_SESSION' ? 0 : pauseMs;
        pauseMs = Math.min(pauseMs * 2, MASTER_PAUSE_MS_MAX);
      }
      try {
        await seams.clock.sleep(waitMs, this.#abort.signal);
      } catch {
        return; // stopped
      }
    }
  }

  async #step(): Promise<void> {
    const { replicas, seams, changes } = this.#options;
    // For the next one: a disk that keeps it waiting must not cost the others their lease.
    for (const store of replicas.stores) if (store.failure === undefined) void store.refreshSpace();
    if (this.#session === undefined) {
      const session = await register(this.#options, this.#disks());
      this.#session = session;
      this.#options.registered(session);
      this.#isInventoryWanted = true;
      const { serverId, clusterId } = session;
      seams.log.info('registered with the master', { master: this.#options.master.address, serverId, clusterId });
    }
    await this.#beat(this.#session);
    if (changes.takeOverflow()) this.#isInventoryWanted = true;
    if (this.#isInventoryWanted) await this.#sendInventory(this.#session);
  }

  async #beat(session: Session): Promise<void> {
    const { seams, master, lease, mutations, changes, quarantine, sweep } = this.#options;
    sweep();
    const told = changes.next();
    const held = mutations.held();
    const request = {
      serverId: session.serverId,
      session: session.session,
      usage: this.#usage(),
      disks: this.#disks(),
      changes: told,
      renewLeases: held.map(({ handle }) => handle),
      renewGrants: held.map(({ lease }) => lease),
      commits: mutations.commitReports(),
    };
    const sent = momentOf(seams.clock);
    const { message } = await master.call(MasterControlMethods.heartbeat, request, { timeoutMs: MASTER_TIMEOUT_MS });
    if (!message.leaseWithheld) lease.renew(sent, session.serverLeaseMs);
    mutations.renewed(message.renewedLeases, sent.atMs);
    changes.told(told);
    if (message.inventoryWanted) this.#isInventoryWanted = true;
    this.#order(message, quarantine);
  }

  #order({ quarantine: orders }: HeartbeatReply, quarantine: Quarantine): void {
    for (const order of orders) quarantine.order(order);
  }

  async #sendInventory({ serverId, session, takesPlainReplicas }: Session): Promise<void> {
    const { master, replicas, seams, changes, inventoryPartMax } = this.#options;
    this.#isInventoryWanted = false;
    try {
      let count = 0;
      for (const part of inventoryParts(replicas, inventoryPartMax)) {
        const { after, last } = part;
        const packed = takesPlainReplicas ? packReplicas(part.replicas) : unpacked(part.replicas);
        const request = { serverId, session, after, last, ...packed };
        await master.call(MasterControlMethods.reportInventory, request, { timeoutMs: MASTER_TIMEOUT_MS });
        count += part.replicas.length;
        // Between long parts the lease has to be kept.
        if (!part.last) await this.#beat(this.#session!);
      }
      seams.log.debug('inventory reported', { replicas: count, waiting: changes.next().length });
    } catch (error) {
      this.#isInventoryWanted = true;
      throw error;
    }
  }

  #failed(fault: FsError): void {
    const { seams, master } = this.#options;
    const { kind, message: error } = fault;
    if (kind === 'CLUSTER_MISMATCH') {
      seams.log.error('this server does not belong to the cluster of its master', { master: master.address, error });
      seams.fatal(fault);
    } else if (kind === 'STALE_SESSION') {
      this.#session = undefined;
    } else {
      seams.log.warn('out of touch with the master', { next: master.address, kind, error });
    }
  }

  #usage(): Usage {
    const { machine } = this.#options.seams;
    const { totalBytes, usedBytes } = machine.memory();
    const cpuUsedRatio = machine.cpuUsedRatio();
    const processMemoryBytes = machine.processMemoryBytes();
    return { cpuUsedRatio, memoryUsedBytes: usedBytes, memoryTotalBytes: totalBytes, processMemoryBytes };
  }

  #disks(): DiskStatus[] {
    const { replicas, lost } = this.#options;
    return [...replicas.stores.map((store) => this.#disk(store)), ...lost.map(statusOf)];
  }

  #disk(store: DiskStore): DiskStatus {
    const { replicas } = this.#options;
    const { usedBytes, replicaCount } = replicas.useOf(store);
    const freeBytes = store.failure === undefined ? Math.max(0, Math.floor(replicas.freeBytes(store))) : 0;
    const { diskId } = store.identity;
    const failure = store.failure?.message ?? '';
    const { fileSystem = '' } = store.space;
    const fileSystemFreeBytes = fileSystem === '' ? 0 : store.space.freeBytes;
    const space = { totalBytes: freeBytes + usedBytes, freeBytes, fileSystem, fileSystemFreeBytes };
    return { diskId, path: store.directory, ...space, replicaCount, failure };
  }
}

function statusOf({ directory: path, diskId, failure }: LostDisk): DiskStatus {
  const space = { totalBytes: 0, freeBytes: 0, fileSystem: '', fileSystemFreeBytes: 0 };
  return { diskId, path, ...space, replicaCount: 0, failure: failure.message };
}

/** For a master that knows no other way. */
function unpacked(replicas: ReplicaReport[]) {
  return { replicas, plainHandles: new Uint8Array(0), plainVersions: [] };
}
