/**
 * The look over all disks before anything is served: every replica is counted, a chunk that two disks hold stays on one
 * of them, and chunk files that no record speaks of are moved aside. Runs over pages of all disks side by side, in order
 * of handle, so that memory does not grow with what they hold.
 */
import { type Clock, isFsError, isUuid, type Log, type ProcessCalendar } from '@cairnfs/base';
import type { ReplicaState } from '../gen/cairn/chunkserver/v1/store.ts';
import { STOCK_PAGE_REPLICAS, STOCK_PATIENCE_MS } from '../limits.ts';
import { whileOverloaded } from '../mutation/while-overloaded.ts';
import type { DiskStore } from './disk-store.ts';
import { type StoredReplica, storedPage } from './stored-pages.ts';
import { readMutations } from './stored-replica.ts';

export interface StockOptions {
  readonly clock: Clock;
  readonly calendar: ProcessCalendar;
  readonly log: Log;
  readonly stores: readonly DiskStore[];
  /** Runs for each replica that stays, on the disk it stays on. */
  readonly found: (store: DiskStore, stored: StoredReplica) => void;
  /** Runs for each chunk file without a record that stays where it is, because it cannot be moved aside just now. */
  readonly stayed: (store: DiskStore, name: string) => void;
}

/** A disk that fails on the way, or cannot be looked over now, is left out. @throws FsError  of the last one. */
export async function takeStock(options: StockOptions): Promise<void> {
  const walks = options.stores.map((store) => new Walk(store));
  for (;;) {
    for (const walk of walks) await orFail(walk.store, options, () => walk.fill());
    // Pages are walked while each disk has entries at hand; then the event loop gets its turn.
    const running = walks.filter(({ store, current }) => store.failure === undefined && current !== undefined);
    if (running.length === 0) break;
    while (running.every(({ store, current }) => store.failure === undefined && current !== undefined)) {
      let least = running[0]!;
      let isShared = false;
      for (const walk of running.slice(1)) {
        const [here, there] = [least.current!.handle, walk.current!.handle];
        if (there < here) {
          least = walk;
          isShared = false;
        } else if (there === here) isShared = true;
      }
      if (isShared) await settleShared(running, least.current!.handle, options);
      else tellFound(least.store, least.take(), options);
    }
    await new Promise<void>((resolve) => options.clock.soon(resolve));
  }
  // Side by side, as they were opened: those that do not answer keep the start waiting once.
  const cleared = options.stores.map((store) => orFail(store, options, () => clearFiles(store, options)));
  for (const outcome of await Promise.allSettled(cleared)) if (outcome.status === 'rejected') throw outcome.reason;
}

/** One disk's replicas in order of handle. */
class Walk {
  readonly store: DiskStore;
  #page: readonly StoredReplica[] = [];
  #index = 0;
  #after = '';
  #isAtEnd = false;

  constructor(store: DiskStore) {
    this.store = store;
  }

  /** Undefined: the page, or the disk, is at its end. */
  get current(): StoredReplica | undefined {
    return this.#page[this.#index];
  }

  take(): StoredReplica {
    const taken = this.#page[this.#index]!;
    this.#index += 1;
    return taken;
  }

  async fill(): Promise<void> {
    if (this.#isAtEnd || this.current !== undefined) return;
    this.#page = storedPage(this.store, this.#after, STOCK_PAGE_REPLICAS);
    this.#index = 0;
    this.#isAtEnd = this.#page.length < STOCK_PAGE_REPLICAS;
    this.#after = this.#page.at(-1)?.handle ?? '';
  }
}

/**
 * A disk that was away may come back with a replica that was copied to another disk meanwhile: those that know less are
 * moved aside.
 */
async function settleShared(walks: readonly Walk[], handle: string, options: StockOptions): Promise<void> {
  const held: Held[] = [];
  for (const walk of walks.filter(({ current }) => current?.handle === handle)) {
    const { store } = walk;
    const stored = walk.take();
    let stagedCount = 0;
    await orFail(store, options, async () => {
      stagedCount = countStaged(store, stored);
    });
    held.push({ store, stored, stagedCount });
  }
  held.sort((a, b) => compareKnowledge(b, a) || (a.store.directory < b.store.directory ? -1 : 1));
  let best: Held | undefined;
  for (const other of held) {
    // A disk may have failed at its own copy, or while another's was moved aside: then the next copy is the one that stays.
    if (other.store.failure !== undefined) continue;
    if (best === undefined || best.store.failure !== undefined) best = other;
    // What cannot be read is left for the master to judge.
    if (other === best || other.stored.damage !== undefined) {
      tellFound(other.store, other.stored, options);
      continue;
    }
    const atMs = options.calendar.stampMs();
    const reason = `on ${best.store.directory} too`;
    await orFail(other.store, options, async () => {
      // Its file leaves with the others that no record speaks of.
      const record = { $case: 'quarantined', value: { atMs, reason } } as const;
      await whileOverloaded(options.clock, STOCK_PATIENCE_MS, () => other.store.journal(handle, record));
    });
  }
}

interface Held {
  readonly store: DiskStore;
  readonly stored: StoredReplica;
  /** Mutations behind the commit point. */
  readonly stagedCount: number;
}

/**
 * Above 0 when `a` knows more: of views, promised ones too, and their terms, and then of mutations; what cannot be read knows
 * nothing. What an earlier term staged may have been dropped, and its sequence numbers given again; what the same one did may
 * have been acknowledged, and an empty replica beside it was never more than made.
 */
function compareKnowledge(one: Held, other: Held): number {
  const { stored: a } = one;
  const { stored: b } = other;
  if (a.damage !== undefined || b.damage !== undefined)
    return Number(b.damage !== undefined) - Number(a.damage !== undefined);
  const promisedOf = ({ version, promisedVersion }: ReplicaState) => Math.max(version, promisedVersion);
  return (
    promisedOf(a.state) - promisedOf(b.state) ||
    a.state.version - b.state.version ||
    a.state.term - b.state.term ||
    a.point.sequence - b.point.sequence ||
    one.stagedCount - other.stagedCount ||
    a.point.length - b.point.length
  );
}

/** Those that cannot be read are none. */
function countStaged({ ledger }: DiskStore, stored: StoredReplica): number {
  if (stored.damage !== undefined) return 0;
  try {
    let count = 0;
    for (const _ of readMutations(ledger.view(), stored.handle, stored.point.sequence)) count += 1;
    return count;
  } catch (error) {
    if (isFsError(error, 'DAMAGED')) return 0;
    throw error;
  }
}

async function clearFiles(store: DiskStore, { calendar, log, stayed }: StockOptions): Promise<void> {
  const { directory } = store;
  const atMs = calendar.stampMs();
  for await (const names of store.chunkFiles()) {
    for (const name of names) {
      if (isUuid(name) && store.mayUseFile(name)) continue;
      try {
        await store.setAside(name, atMs);
        log.info('chunk file without a record moved aside', { name, directory });
      } catch (error) {
        const fault = store.fault(error);
        if (!isFsError(fault, 'NO_SPACE', 'OVERLOADED')) throw fault;
        log.warn('chunk file without a record not moved aside', { name, directory, error: fault.message });
        stayed(store, name);
      }
    }
  }
}

/** Of a disk in service. */
function tellFound(store: DiskStore, stored: StoredReplica, options: StockOptions): void {
  try {
    options.found(store, stored);
  } catch (error) {
    leaveOut(store, options, error);
  }
}

async function orFail(store: DiskStore, options: StockOptions, work: () => Promise<void>): Promise<void> {
  if (store.failure !== undefined) return;
  try {
    await work();
  } catch (error) {
    leaveOut(store, options, error);
  }
}

/** What keeps one disk from being looked over is its failure, not the server's, while another disk works. */
function leaveOut(store: DiskStore, { stores }: StockOptions, error: unknown): void {
  const fault = isFsError(error, 'DAMAGED', 'DISK_FAILED') ? store.fail(error) : store.fault(error);
  const othersWork = stores.some((other) => other !== store && other.failure === undefined);
  if (!othersWork) throw fault;
  store.fail(fault);
}
