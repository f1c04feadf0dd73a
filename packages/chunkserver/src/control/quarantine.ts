/**
 * Replicas nobody needs, as the master orders (GFS §4.4): journalled as set aside, their files renamed, deleted after the
 * grace period. Nothing is ever removed on this server's own judgement: what it sets aside unasked are chunk files that no
 * record speaks of, left by uploads that ended before any of them was durable, and by a rename that failed, now or at the start.
 */
import { type Clock, isUuid, type Log, toFsError } from '@cairnfs/base';
import { type QuarantineOrder, ReplicaCondition, ReplicaReport } from '@cairnfs/protocol';
import {
  QUARANTINE_ENDED_AT_ONCE,
  QUARANTINE_MOVES_MAX,
  QUARANTINE_STRAYS_MAX,
  QUARANTINE_SWEEP_MS,
} from '../limits.ts';
import { type DiskStore, handleOfFile } from '../store/disk-store.ts';
import { atOfQuarantineKey, handleOfQuarantineKey, quarantineKey } from '../store/keys.ts';
import type { Replica } from '../store/replica.ts';
import type { Replicas } from '../store/replicas.ts';

export interface QuarantineOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly replicas: Replicas;
  readonly graceMs: number;
  readonly report: (report: ReplicaReport) => void;
  /** A frame of the chunk is being written. */
  readonly isActive: (handle: string) => boolean;
  /** An upload of the chunk is under way, though none of its frames may be just now. */
  readonly isUploading: (handle: string) => boolean;
  /** A copy of the chunk is on its way in. */
  readonly isReceiving: (handle: string) => boolean;
  readonly moved: (handle: string) => void;
  /** The replica is about to be moved, and others may not know yet that its chunk went on. @throws FsError OVERLOADED */
  readonly leaves: (replica: Replica) => void;
}

/** The reason that a master gives for a copy at an older version than its chunk. */
const STALE = 'stale';

/** Without `replica` its entries in the index cannot be read. */
interface Leaving {
  readonly store: DiskStore;
  readonly handle: string;
  readonly replica: Replica | undefined;
}

export class Quarantine {
  readonly #options: QuarantineOptions;
  /** Replicas moved aside, and files deleted after their grace period, since the start. */
  readonly counts = { movedAside: 0, deleted: 0 };
  /** Chunk files on their way out. */
  readonly #leaving = new Map<string, Promise<void>>();
  /** Those that were ordered, by disk: one that does not answer holds up no other. */
  readonly #moving = new Map<DiskStore, number>();
  /** The same of those that no entry was found of: they hold up no replica. */
  readonly #looking = new Map<DiskStore, number>();
  /** Names of chunk files without a record that may lie on the disk; also of copies that did not come to their end. */
  readonly #strays = new Map<DiskStore, Set<string>>();
  #isClosed = false;
  #sweptAtMs = Number.NEGATIVE_INFINITY;
  readonly #sweeping = new Map<DiskStore, Promise<void>>();

  constructor(options: QuarantineOptions) {
    this.#options = options;
  }

  /** Whether the chunk's file is on its way out: a new copy waits for it. */
  leaving(handle: string): Promise<void> | undefined {
    return this.#leaving.get(handle);
  }

  order({ handle, versionAtMost, reason }: QuarantineOrder): void {
    const { replicas, report, isActive } = this.#options;
    if (this.#leaving.has(handle) || this.#options.isReceiving(handle)) return;
    const replica = replicas.find(handle);
    const store = replica?.store ?? replicas.holderOf(handle);
    // Also of one that went by damage: it is in nobody's report, and the master repeats the order.
    if (isActive(handle) || replicas.isInUse(handle)) {
      if (replica !== undefined) report(replicas.describe(replica));
      return;
    }
    // Without an entry it may be the file of an upload of which nothing was durable, on any of the disks.
    const stores = store === undefined ? replicas.stores.filter(({ failure }) => failure === undefined) : [store];
    const counts = store === undefined ? this.#looking : this.#moving;
    const isFull = stores.some((each) => (counts.get(each) ?? 0) >= QUARANTINE_MOVES_MAX);
    if (isFull) return; // the master repeats the order until the replica is gone
    if (replica !== undefined) {
      const { log } = replica;
      const isNewer = log.version > versionAtMost || log.promisedVersion > versionAtMost;
      // Of one that is stale the order names the version that it is behind of.
      const isInSync = reason === STALE && !log.isRemoved && log.promisedVersion >= versionAtMost;
      // It has moved on since the master judged it: the next report says so.
      if (isNewer || isInSync) {
        report(replicas.describe(replica));
        return;
      }
    }
    for (const each of stores) counts.set(each, (counts.get(each) ?? 0) + 1);
    const move =
      store === undefined
        ? () => this.#setStraysAside(stores, handle)
        : () => this.#setAside({ store, handle, replica }, reason);
    const leaving = this.#moveAside(handle, reason, move).finally(() => {
      this.#leaving.delete(handle);
      for (const each of stores) counts.set(each, counts.get(each)! - 1);
    });
    this.#leaving.set(handle, leaving);
  }

  /** The disk may hold a chunk file of this name that no record speaks of: it is set aside with the next sweep. */
  strayed(store: DiskStore, name: string): void {
    if (store.failure !== undefined || !isUuid(handleOfFile(name))) return;
    const strays = this.#strays.get(store) ?? new Set();
    this.#strays.set(store, strays);
    if (strays.size < QUARANTINE_STRAYS_MAX) strays.add(name);
    else this.#options.log.warn('chunk file without a record left to the next start', { name });
  }

  /**
   * Moves what is here of the chunk aside, for a copy that takes its place; the caller has seen that nobody uses it.
   *
   * @throws FsError as the journal or the disk fails.
   */
  async makeRoom(handle: string, reason: string): Promise<void> {
    const { replicas } = this.#options;
    const replica = replicas.find(handle);
    const store = replica?.store ?? replicas.holderOf(handle);
    if (store === undefined) return;
    const work = this.#setAside({ store, handle, replica }, reason).finally(() => this.#leaving.delete(handle));
    this.#leaving.set(
      handle,
      work.catch(() => {}), // the caller hears of it
    );
    await work;
  }

  /** Looks now and then for files without a record, and for what has been aside for long enough. */
  sweep(): void {
    const { clock, graceMs, replicas } = this.#options;
    const nowMs = clock.nowMs();
    if (nowMs - this.#sweptAtMs < QUARANTINE_SWEEP_MS) return;
    this.#sweptAtMs = nowMs;
    // A calendar that is set while the server runs makes nothing older; nor does one that was ahead at its start, and is set
    // right. What was there at the start has been there for as long as the server runs, whatever the calendar says.
    const { calendar } = replicas;
    const isForCertain = calendar.ageMs(0) >= graceMs;
    const asideMs = isForCertain ? calendar.nowMs() : Math.min(calendar.nowMs(), clock.wallMs());
    const before = Math.floor(asideMs - graceMs);
    for (const store of replicas.stores) {
      if (store.failure !== undefined || this.#sweeping.has(store)) continue;
      const sweeping = this.#sweepDisk(store, before).finally(() => this.#sweeping.delete(store));
      this.#sweeping.set(store, sweeping);
    }
  }

  /** Begins nothing more, and waits for what is under way. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.idle();
  }

  async idle(): Promise<void> {
    await Promise.all([...this.#leaving.values(), ...this.#sweeping.values()]);
  }

  async #moveAside(handle: string, reason: string, move: () => Promise<void>): Promise<void> {
    const { log, replicas, report } = this.#options;
    try {
      await move();
      // A view may have made a replica meanwhile: it waits for no file.
      if (replicas.holderOf(handle) === undefined) report(gone(handle, reason));
    } catch (error) {
      log.warn('replica not moved to quarantine', { handle, reason, error: toFsError(error).message });
    }
  }

  async #setAside({ store, handle, replica }: Leaving, reason: string): Promise<void> {
    const { clock, log, replicas, moved, leaves } = this.#options;
    if (replica?.isTouched(clock.nowMs())) leaves(replica);
    const atMs = replicas.calendar.stampMs();
    try {
      const sequence = store.append(handle, { $case: 'quarantined', value: { atMs, reason } });
      if (replica !== undefined) replicas.forget(replica);
      moved(handle);
      await store.durable(sequence);
      await store.setAside(handle, atMs);
    } catch (error) {
      const fault = store.fault(error);
      this.strayed(store, handle); // no entry leads to the file any more when it was the rename that failed
      throw fault;
    }
    this.counts.movedAside += 1;
    log.info('replica moved to quarantine', { handle, reason, version: replica?.log.version });
  }

  /** Also of an upload that is in memory, of which nothing is durable. */
  async #setStraysAside(stores: readonly DiskStore[], handle: string): Promise<void> {
    this.#options.moved(handle);
    const moves = stores.map((store) => this.#setStrayAside(store, handle));
    for (const outcome of await Promise.allSettled(moves)) if (outcome.status === 'rejected') throw outcome.reason;
  }

  /** The caller has seen that nobody uses it, and lets nobody begin to. */
  async #setStrayAside(store: DiskStore, name: string): Promise<void> {
    const { log, replicas } = this.#options;
    try {
      const wasThere = await store.setAside(name, replicas.calendar.stampMs());
      this.#strays.get(store)?.delete(name);
      if (wasThere) log.info('chunk file without a record moved aside', { name, directory: store.directory });
    } catch (error) {
      throw store.fault(error);
    }
  }

  async #sweepDisk(store: DiskStore, before: number): Promise<void> {
    await this.#orWarn(store, 'chunk files without a record not looked for', () => this.#clearStrays(store));
    if (before <= 0 || store.failure !== undefined) return;
    await this.#orWarn(store, 'quarantine not emptied', () => this.#deleteOld(store, before));
  }

  async #orWarn(store: DiskStore, message: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const { directory } = store;
      this.#options.log.warn(message, { directory, error: store.fault(error).message });
    }
  }

  /** One by one; after one that cannot be moved, the others wait for the next sweep, which tries it last. */
  async #clearStrays(store: DiskStore): Promise<void> {
    const { isReceiving, isUploading, log } = this.#options;
    const strays = this.#strays.get(store) ?? new Set();
    for (const name of [...strays]) {
      if (this.#isClosed) return; // the next start finds them
      const handle = handleOfFile(name);
      if (this.#leaving.has(handle) || isReceiving(handle) || isUploading(handle)) continue; // looked at again
      if (name === handle && store.names(handle)) {
        // Either the file is the replica's now, or it is in the way of nothing until the replica grows out of the index.
        if (store.mayUseFile(handle)) strays.delete(name);
        continue;
      }
      const moved = this.#setStrayAside(store, name).finally(() => this.#leaving.delete(handle));
      this.#leaving.set(
        handle,
        moved.catch(() => {}), // told here
      );
      try {
        await moved;
      } catch (error) {
        log.warn('chunk file without a record not moved aside', { name, error: toFsError(error).message });
        strays.delete(name);
        strays.add(name);
        return;
      }
    }
  }

  async #deleteOld(store: DiskStore, before: number): Promise<void> {
    const { disk } = store;
    const directory = `${store.directory}/quarantine`;
    // By name, because what a restart found without a record lies here too.
    for (const name of await disk.list(directory)) {
      if (this.#isClosed) return;
      const isOld = Number.parseInt(name, 10) < before; // what has no time in its name was not put here by this server
      if (!isOld) continue;
      await disk.remove(`${directory}/${name}`);
      this.counts.deleted += 1;
    }
    const end = quarantineKey(before, '00000000-0000-0000-0000-000000000000');
    for (let isMore = true; isMore && !this.#isClosed; ) {
      const entries = store.ledger.view().range('q', end, QUARANTINE_ENDED_AT_ONCE);
      let sequence = 0;
      for (const { key } of entries) {
        const ended = { $case: 'quarantineEnded', value: { atMs: atOfQuarantineKey(key) } } as const;
        sequence = store.append(handleOfQuarantineKey(key), ended);
      }
      await store.durable(sequence);
      isMore = entries.length === QUARANTINE_ENDED_AT_ONCE;
    }
  }
}

/** That no replica of the chunk is here any more. */
export function gone(handle: string, reason: string): ReplicaReport {
  const condition = ReplicaCondition.REPLICA_CONDITION_GONE;
  return ReplicaReport.fromPartial({ handle, condition, message: reason });
}
