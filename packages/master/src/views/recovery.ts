/**
 * Looks after chunks that are open or have a view pending: what a crash of the master or of a primary leaves behind. A
 * pending view is tried anew; an open chunk that nobody leads is closed at the length its members agree on, and so is one of
 * which a member that registered anew did not show a replica.
 */
import { RepeatedWarnings, type Timer } from '@cairnfs/base';
import type { ServerTable } from '../cluster/server-table.ts';
import type { UnshownReplicas } from '../cluster/unshown-replicas.ts';
import type { MasterContext, Views } from '../context.ts';
import { type Chunk, ChunkState } from '../gen/cairn/master/v1/state.ts';
import { ABANDONED_NOTED_MAX, CHUNK_WARNING_INTERVAL_MS, RECOVERY_INTERVAL_MS } from '../limits.ts';
import { handleOfKey, unsettledRange } from '../state/keys.ts';
import type { LeaseTable } from './lease-table.ts';
import type { ViewChanges } from './view-change.ts';

export class ViewRecovery {
  readonly #context: MasterContext;
  readonly #servers: ServerTable;
  readonly #leases: LeaseTable;
  readonly #changes: ViewChanges;
  readonly #views: Views;
  readonly #unshown: Pick<UnshownReplicas, 'judge' | 'hasOneOf'>;
  readonly #warnings: RepeatedWarnings;
  readonly #underWay = new Set<string>();
  #cursor: string = unsettledRange.start;
  #timer: Timer | undefined;

  constructor(
    context: MasterContext,
    parts: {
      servers: ServerTable;
      leases: LeaseTable;
      changes: ViewChanges;
      views: Views;
      unshown: Pick<UnshownReplicas, 'judge' | 'hasOneOf'>;
    },
  ) {
    this.#context = context;
    this.#servers = parts.servers;
    this.#leases = parts.leases;
    this.#changes = parts.changes;
    this.#views = parts.views;
    this.#unshown = parts.unshown;
    this.#warnings = new RepeatedWarnings(context.seams, CHUNK_WARNING_INTERVAL_MS);
  }

  start(): void {
    this.#timer = this.#context.seams.clock.after(RECOVERY_INTERVAL_MS, () => {
      this.#step();
      this.start();
    });
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #step(): void {
    this.#servers.noteTime();
    this.#unshown.judge();
    const { config, decisions } = this.#context;
    const { recoveredAtOnce, recoveryStep } = config.bounds;
    const transaction = decisions.read();
    const entries = transaction.range({ start: this.#cursor, end: unsettledRange.end }, recoveryStep);
    for (const { key } of entries) {
      // From here the next step goes on: those before it may be chunks that nothing can be done for as long as a server is away.
      this.#cursor = key;
      if (this.#underWay.size >= recoveredAtOnce) return;
      const handle = handleOfKey(key);
      if (this.#underWay.has(handle) || this.#changes.isRunning(handle)) continue;
      const chunk = transaction.chunk(handle);
      if (chunk === undefined) continue;
      if (this.#isToClose(handle, chunk)) this.#run(handle, () => this.#views.close(handle, { seal: false }));
      else if (chunk.pendingVersion !== 0) this.#run(handle, async () => void (await this.#changes.change(handle)));
    }
    if (entries.length < recoveryStep) this.#endRound();
    else this.#cursor = `${this.#cursor}\0`;
  }

  /**
   * Also one of which a member did not show a replica: where it ends tells whether that has lost one. And one whose view comes
   * about only now: nobody waits to lead it, and until somebody does, or the log tells where it ends, members that have only
   * promised that view cannot read what was overwritten.
   */
  #isToClose(handle: string, chunk: Chunk): boolean {
    if (chunk.state !== ChunkState.CHUNK_STATE_OPEN) return false;
    return (
      chunk.pendingVersion !== 0 ||
      this.#isAbandoned(handle, chunk.members[0] ?? 0) ||
      this.#unshown.hasOneOf(handle, chunk)
    );
  }

  /** Nobody leads it: its primary is out of touch for good, or took no lease though it had the time to. */
  #isAbandoned(handle: string, primary: number): boolean {
    if (this.#leases.state(handle).kind !== 'free') return this.#servers.hasRunOut(primary);
    if (this.#servers.hasRunOut(primary)) return true;
    const { seams, config, startedAtMs } = this.#context;
    // A chunk just opened is waiting for its first mutation; after a start, leases are still being adopted.
    const sinceMs = Math.max(this.#firstSeenAtMs(handle), startedAtMs);
    return seams.clock.nowMs() - sinceMs > config.chunkLeaseMs;
  }

  /** Since when open chunks were found without a lease: in the round before, and so far in this one, which may take long. */
  #seenBefore: ReadonlyMap<string, number> = new Map();
  #seen = new Map<string, number>();

  #firstSeenAtMs(handle: string): number {
    const now = this.#context.seams.clock.nowMs();
    const sinceMs = this.#seen.get(handle) ?? this.#seenBefore.get(handle) ?? now;
    // Where there is no room, its turn comes when others are closed.
    if (this.#seen.size < ABANDONED_NOTED_MAX) this.#seen.set(handle, sinceMs);
    return sinceMs;
  }

  #endRound(): void {
    this.#cursor = unsettledRange.start;
    this.#seenBefore = this.#seen;
    this.#seen = new Map();
  }

  #run(handle: string, work: () => Promise<void>): void {
    this.#underWay.add(handle);
    work()
      .catch((error: unknown) => this.#warnings.warn(handle, 'a chunk could not be settled yet', { handle, error }))
      .finally(() => this.#underWay.delete(handle));
  }
}
