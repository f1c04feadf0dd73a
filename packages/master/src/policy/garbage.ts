/**
 * Garbage collection (GFS §4.4): chunks that no file needs are ordered into quarantine, server by server, and forgotten
 * when every member, and who was to become one, has said that it is gone. A server that is away keeps its copy until it returns; then it is an orphan.
 */
import type { Key, Timer } from '@cairnfs/base';
import { describeReplicas } from '../cluster/describe-replicas.ts';
import type { ReplicaReports } from '../cluster/replica-reports.ts';
import type { ServerEntry, ServerTable } from '../cluster/server-table.ts';
import type { MasterContext, SafeMode } from '../context.ts';
import { GARBAGE_INTERVAL_MS, ORDERS_CHECKED_EVERY_MS } from '../limits.ts';
import { garbageDueMs } from '../namespace/destroy.ts';
import { garbageAfter, garbageKey, garbageRange, handleOfGarbageKey, META } from '../state/keys.ts';
import type { Transaction } from '../state/transaction.ts';
import type { Departures } from '../views/departures.ts';

interface Heard {
  /** Where the chunk stands among what is due. */
  readonly key: Key;
  readonly gone: Set<number>;
  /** How many they were when the chunk was last looked at, and since when. */
  countBefore: number;
  sinceMs: number;
}

export class GarbageCollection {
  readonly #context: MasterContext;
  readonly #servers: ServerTable;
  readonly #reports: ReplicaReports;
  readonly #departures: Departures;
  readonly #safeMode: SafeMode;
  /** Members that have said a garbage chunk is gone, of those that are awaited. In memory: a restarted master asks again. */
  readonly #gone = new Map<string, Heard>();
  /** Those of them of which a member said so since they were looked at. */
  readonly #news = new Set<string>();
  /** In the round before, and in this one, there was no room for all. */
  #isCrowded = false;
  #hadNoRoom = false;
  /** Where the next step goes on: those before may be held up for as long as a server is. */
  #from: Key = GARBAGE_START;
  #askedAtMs = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(
    context: MasterContext,
    parts: { servers: ServerTable; reports: ReplicaReports; departures: Departures; safeMode: SafeMode },
  ) {
    this.#context = context;
    this.#departures = parts.departures;
    this.#servers = parts.servers;
    this.#reports = parts.reports;
    this.#safeMode = parts.safeMode;
    parts.reports.onGone = (server, handle) => {
      const heard = this.#gone.get(handle);
      if (heard === undefined) return;
      heard.gone.add(server);
      this.#news.add(handle);
    };
  }

  start(): void {
    this.#timer = this.#context.seams.clock.after(GARBAGE_INTERVAL_MS, () => {
      this.#running = this.#round()
        .catch((error: unknown) => this.#context.seams.log.warn('garbage collection was put off', { error }))
        .then(() => this.start());
    });
  }

  async stop(): Promise<void> {
    this.#timer?.cancel();
    await this.#running;
    this.#timer?.cancel();
  }

  async #round(): Promise<void> {
    if (this.#safeMode.isActive) return;
    await this.#step();
    const { clock } = this.#context.seams;
    if (clock.nowMs() - this.#askedAtMs < ORDERS_CHECKED_EVERY_MS) return;
    this.#askedAtMs = clock.nowMs();
    await Promise.all([...this.#servers.all].map((server) => this.#askAboutOrders(server)));
  }

  /** A server may have told an earlier master that a chunk is gone, and tells nobody again. */
  async #askAboutOrders(server: ServerEntry): Promise<void> {
    const handles = this.#servers.isLive(server.id) ? this.#reports.ordersFor(server).map(({ handle }) => handle) : [];
    if (handles.length === 0) return;
    try {
      const replicas = await describeReplicas(this.#context, server, handles);
      const present = new Set(replicas.map(({ handle }) => handle));
      for (const handle of handles) if (!present.has(handle)) this.#reports.absent(server.id, handle);
    } catch (error) {
      this.#context.seams.log.info('a server did not say what it still holds', { server: server.id, error });
    }
  }

  async #step(): Promise<void> {
    const { decisions, calendar, config } = this.#context;
    const { garbageStep } = config.bounds;
    this.#from = await decisions.perform('garbageCollected', (transaction) => {
      this.#bringForward(transaction);
      // Where all is said there is room again for others, before their turn comes.
      for (const key of this.#takeNews(garbageStep)) this.#look(transaction, key);
      const { end } = garbageRange(calendar.nowMs());
      const entries = transaction.range({ start: this.#from, end }, garbageStep);
      for (const { key } of entries) this.#look(transaction, key);
      return entries.length < garbageStep ? GARBAGE_START : `${entries.at(-1)!.key}\0`;
    });
    if (this.#from !== GARBAGE_START) return;
    this.#isCrowded = this.#hadNoRoom;
    this.#hadNoRoom = false;
  }

  #takeNews(count: number): Key[] {
    const keys: Key[] = [];
    for (const handle of this.#news) {
      if (keys.length === count) break;
      this.#news.delete(handle);
      keys.push(this.#gone.get(handle)!.key);
    }
    return keys;
  }

  /** Has the chunk put away, or forgets it when nobody is left who has it. */
  #look(transaction: Transaction, key: Key): void {
    if (transaction.get(key) === undefined) return; // forgotten already in this step
    const handle = handleOfGarbageKey(key);
    const chunk = transaction.chunk(handle);
    const gone = this.#gone.get(handle)?.gone ?? new Set();
    const holders = new Set([...(chunk?.members ?? []), ...(chunk?.pendingMembers ?? [])]);
    const left = [...holders].filter((holder) => !gone.has(holder) && !this.#servers.isDead(holder));
    if (left.length > 0) {
      if (!this.#await(key, gone, left)) return;
      // A master that ended before this was durable may have told one that was away that it is no member any more (below).
      const versionAtMost = chunk!.highestVersion + 1;
      const order = { handle, versionAtMost, reason: 'deleted' };
      for (const holder of left) this.#reports.order(holder, order);
      return;
    }
    for (const member of chunk?.members ?? []) {
      if (gone.has(member)) continue;
      const departure = { oldVersion: chunk!.version, newVersion: chunk!.highestVersion + 1 };
      this.#departures.add(member, handle, departure);
      this.#departures.confirm(transaction, member, handle, departure);
    }
    this.#forget(handle);
    transaction.remove(key);
    transaction.removeChunk(handle);
    transaction.add(META.garbageCount, -1);
  }

  /**
   * Who says that the chunk is gone is remembered until all have; not while one cannot be told, nor where nobody has said so for
   * long and there is no room for others: what a server, or a disk of it, holds up for long takes nobody's room.
   *
   * @returns whether it is to be ordered away.
   */
  #await(key: Key, gone: Set<number>, left: readonly number[]): boolean {
    const handle = handleOfGarbageKey(key);
    const canBeTold = (id: number) => this.#servers.isInTouch(id) && this.#servers.get(id)!.inventoryComplete;
    if (!left.every(canBeTold)) {
      this.#forget(handle);
      return true; // those who can be told free their disks meanwhile, and say so again when all can
    }
    const nowMs = this.#context.seams.clock.nowMs();
    const before = this.#gone.get(handle);
    if (before === undefined) {
      if (this.#gone.size >= this.#context.config.bounds.garbageAwaitedMax) {
        this.#hadNoRoom = true;
        return false;
      }
      this.#gone.set(handle, { key, gone, countBefore: gone.size, sinceMs: nowMs });
    } else if (before.countBefore !== gone.size) {
      before.countBefore = gone.size;
      before.sinceMs = nowMs;
    } else if (this.#isCrowded && nowMs - before.sinceMs >= ORDERS_CHECKED_EVERY_MS) {
      this.#forget(handle);
      return false; // the orders still wait
    }
    return true;
  }

  /** What its servers have said. */
  #forget(handle: string): void {
    this.#gone.delete(handle);
    this.#news.delete(handle);
  }

  /** What is due later than anything can be was deleted before the calendar was set back: the grace begins anew. */
  #bringForward(transaction: Transaction): void {
    const { config } = this.#context;
    const dueMs = garbageDueMs(this.#context);
    for (const { key } of transaction.range(garbageAfter(dueMs), config.bounds.garbageStep)) {
      transaction.remove(key);
      transaction.put(garbageKey(dueMs, handleOfGarbageKey(key)), new Uint8Array([1]));
    }
  }
}

const GARBAGE_START = garbageRange(0).start;
