/**
 * Replicas nobody needs, as the master orders (GFS §4.4): journalled as set aside, their files renamed, deleted after the
 * grace period. Nothing is ever removed on this server's own judgement.
 */
import { type Clock, type Log, toFsError } from '@cairnfs/base';
import { type QuarantineOrder, ReplicaCondition, ReplicaReport } from '@cairnfs/protocol';
import { QUARANTINE_DELETED_PER_SWEEP, QUARANTINE_MOVES_MAX, QUARANTINE_SWEEP_MS } from '../limits.ts';
import type { DiskStore } from '../store/disk-store.ts';
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
    if (isActive(handle)) {
      if (replica !== undefined) report(replicas.describe(replica));
      return;
    }
    if (store === undefined) {
      this.#options.moved(handle);
      report(gone(handle, reason));
      return;
    }
    const moving = this.#moving.get(store) ?? 0;
    if (moving >= QUARANTINE_MOVES_MAX) return; // the master repeats the order until the replica is gone
    if (replica !== undefined) {
      const { log } = replica;
      const isNewer = log.version > versionAtMost || log.promisedVersion > versionAtMost;
      // Of one that is stale the order names the version that it is behind of.
      const isInSync = reason === STALE && !log.isRemoved && log.promisedVersion >= versionAtMost;
      // It has moved on since the master judged it: the next report says so.
      if (isNewer || isInSync || replica.uses > 0) {
        report(replicas.describe(replica));
        return;
      }
    }
    this.#moving.set(store, moving + 1);
    const leaving = this.#moveAside({ store, handle, replica }, reason).finally(() => {
      this.#leaving.delete(handle);
      this.#moving.set(store, this.#moving.get(store)! - 1);
    });
    this.#leaving.set(handle, leaving);
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

  /** Looks now and then for what has been aside for long enough. */
  sweep(): void {
    const { clock, graceMs, replicas } = this.#options;
    const nowMs = clock.nowMs();
    if (nowMs - this.#sweptAtMs < QUARANTINE_SWEEP_MS) return;
    this.#sweptAtMs = nowMs;
    const before = Math.floor(clock.wallMs() - graceMs);
    if (before <= 0) return;
    for (const store of replicas.stores) {
      if (store.failure !== undefined || this.#sweeping.has(store)) continue;
      const sweeping = this.#deleteOld(store, before).finally(() => this.#sweeping.delete(store));
      this.#sweeping.set(store, sweeping);
    }
  }

  async idle(): Promise<void> {
    await Promise.all([...this.#leaving.values(), ...this.#sweeping.values()]);
  }

  async #moveAside(leaving: Leaving, reason: string): Promise<void> {
    const { log, report } = this.#options;
    const { handle } = leaving;
    try {
      await this.#setAside(leaving, reason);
      report(gone(handle, reason));
    } catch (error) {
      log.warn('replica not moved to quarantine', { handle, reason, error: toFsError(error).message });
    }
  }

  async #setAside({ store, handle, replica }: Leaving, reason: string): Promise<void> {
    const { clock, log, replicas, moved, leaves } = this.#options;
    if (replica?.isTouched(clock.nowMs())) leaves(replica);
    const atMs = Math.floor(clock.wallMs());
    try {
      const sequence = store.append(handle, { $case: 'quarantined', value: { atMs, reason } });
      if (replica !== undefined) replicas.forget(replica);
      moved(handle);
      await store.durable(sequence);
      await store.setAside(handle, atMs);
    } catch (error) {
      throw store.fault(error);
    }
    this.counts.movedAside += 1;
    log.info('replica moved to quarantine', { handle, reason, version: replica?.log.version });
  }

  async #deleteOld(store: DiskStore, before: number): Promise<void> {
    try {
      await this.#deleteFrom(store, before);
    } catch (error) {
      const { directory } = store;
      this.#options.log.warn('quarantine not emptied', { directory, error: toFsError(store.fault(error)).message });
    }
  }

  async #deleteFrom(store: DiskStore, before: number): Promise<void> {
    const { disk } = store;
    const directory = `${store.directory}/quarantine`;
    let deleted = 0;
    // By name, because what a restart found without a record lies here too.
    for (const name of await disk.list(directory)) {
      const isOld = Number.parseInt(name, 10) < before; // what has no time in its name was not put here by this server
      if (!isOld || deleted === QUARANTINE_DELETED_PER_SWEEP) continue;
      await disk.remove(`${directory}/${name}`);
      deleted += 1;
      this.counts.deleted += 1;
    }
    const end = quarantineKey(before, '00000000-0000-0000-0000-000000000000');
    for (const { key } of store.ledger.view().range('q', end, QUARANTINE_DELETED_PER_SWEEP)) {
      store.append(handleOfQuarantineKey(key), { $case: 'quarantineEnded', value: { atMs: atOfQuarantineKey(key) } });
    }
  }
}

/** That no replica of the chunk is here any more. */
export function gone(handle: string, reason: string): ReplicaReport {
  const condition = ReplicaCondition.REPLICA_CONDITION_GONE;
  return ReplicaReport.fromPartial({ handle, condition, message: reason });
}
