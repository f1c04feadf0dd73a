/**
 * What chunkservers say they hold, compared with what the log says they should: changes with every heartbeat, everything
 * after a registration. A replica nobody needs is ordered into quarantine, but only outside safe mode and never on doubt:
 * not while a view of its chunk is pending, nor while an upload may still be writing it.
 */
import { FsError, type Key } from '@cairnfs/base';
import {
  ReplicaCondition as Condition,
  PlainReplicas,
  type QuarantineOrder,
  type ReplicaReport,
  type ReportInventoryRequest,
} from '@cairnfs/protocol';
import type { MasterContext, SafeMode } from '../context.ts';
import { type Chunk, ChunkState } from '../gen/cairn/master/v1/state.ts';
import { INVENTORY_PART_MAX } from '../limits.ts';
import { handleOfMemberKey, MEMBER_HANDLE_AT, memberKey, memberRange, versionOfMember } from '../state/keys.ts';
import type { Transaction } from '../state/transaction.ts';
import { inSyncVersion } from '../views/spare-copy.ts';
import type { Problems } from './problems.ts';
import { QuarantineOrders, type WaitingOrder } from './quarantine-orders.ts';
import type { ReplicaConditions } from './replica-conditions.ts';
import type { ServerEntry } from './server-table.ts';
import { isExpectedOnDisk, needsNoReplica } from './unshown-replicas.ts';

/** What a report means for the chunk. */
type Verdict =
  | { readonly kind: 'fine' }
  | { readonly kind: 'exception'; readonly exception: 'missing' | 'corrupt' | 'stale' }
  | { readonly kind: 'unneeded'; readonly order: QuarantineOrder }
  | { readonly kind: 'gone' };

export class ReplicaReports {
  readonly #context: MasterContext;
  readonly #conditions: ReplicaConditions;
  readonly #problems: Problems;
  readonly #safeMode: SafeMode;
  readonly #orders: QuarantineOrders;
  /** By chunk, while a copy of it is on its way: what its target is to put away if that does not become a member. */
  readonly #heldBack = new Map<string, { readonly server: number; readonly order: QuarantineOrder }>();
  /** Runs when a server says that a chunk is not there. */
  onGone: (server: number, handle: string) => void = () => {};
  /** Whether the server is just getting a copy of the chunk, and will be a member. */
  isAwaited: (server: number, handle: string) => boolean = () => false;
  /** How many members have a sound copy in reach, by what their servers have told since they registered. */
  soundCount: (handle: string, chunk: Chunk) => number = (_handle, { members }) => members.length;

  constructor(
    context: MasterContext,
    parts: { conditions: ReplicaConditions; problems: Problems; safeMode: SafeMode },
  ) {
    this.#context = context;
    this.#orders = new QuarantineOrders(context.config.bounds.quarantineQueueMax);
    this.#conditions = parts.conditions;
    this.#problems = parts.problems;
    this.#safeMode = parts.safeMode;
  }

  takeChanges(server: ServerEntry, reports: readonly ReplicaReport[]): void {
    const transaction = this.#context.decisions.read();
    for (const report of reports) this.#take(transaction, server, report);
  }

  /**
   * One part of an inventory; the parts come in order of handle and leave nothing out between them.
   *
   * @returns the replicas that are not simply as the log has them.
   */
  takeInventory(server: ServerEntry, request: ReportInventoryRequest): ReplicaReport[] {
    const { replicas, after, last } = request;
    const plain = new PlainReplicas(request);
    const count = replicas.length + plain.count;
    if (count > INVENTORY_PART_MAX) {
      throw new FsError(
        'INVALID_ARGUMENT',
        `an inventory part has at most ${INVENTORY_PART_MAX} replicas, not ${count}`,
      );
    }
    if (after === '') {
      server.inventoryComplete = false;
      server.inventoryBegunAtMs = this.#context.seams.clock.nowMs();
      this.#orders.reviewed(server.id);
    } else if (server.inventoryCursor !== after) {
      const message = `an inventory part continues behind '${after}', the one before ended at '${server.inventoryCursor ?? ''}'`;
      throw new FsError('INVALID_ARGUMENT', `${message}: send the inventory from the beginning`);
    }
    const end = endOfPart(replicas, plain, after);
    const transaction = this.#context.decisions.read();
    this.#conditions.reviewed(server.id, after, last ? undefined : end);
    const { unusual, absent } = this.#compare(server.id, {
      expected: this.#expected(transaction, server.id, after, last ? undefined : end),
      replicas,
      plain,
    });
    for (const { handle, chunk } of this.#context.plans.behind(after, last ? undefined : end)) {
      if (chunk.members.includes(server.id)) this.#conditions.notShown(server.id, handle);
    }
    for (const report of unusual) this.#take(transaction, server, report);
    for (const handle of absent) this.#notShown(server, handle, transaction.chunk(handle));
    server.inventoryCursor = last ? undefined : end;
    server.inventoryPartAtMs = this.#context.seams.clock.nowMs();
    server.inventoryComplete = last;
    if (!last) return unusual;
    server.hasShownAll = true;
    server.hasLostDisk = false;
    return unusual;
  }

  /** There was more than could be kept of what the server's last inventory brought, and there is room for it now. */
  wantsInventory(server: number): boolean {
    return this.#conditions.wantsInventory(server) || this.#orders.wantsInventory(server);
  }

  /** Walks along both in order of handle. What agrees, and of which nothing else is known, is passed over. */
  #compare(
    server: number,
    { expected, replicas, plain }: { expected: Iterable<MemberEntry>; replicas: ReplicaReport[]; plain: PlainReplicas },
  ): { unusual: ReplicaReport[]; absent: string[] } {
    const unusual = [...replicas];
    const absent: string[] = [];
    const others = new Set(replicas.map(({ handle }) => handle));
    const isUnmarked = this.#conditions.isEmpty(server) && this.#orders.isEmpty(server);
    let index = 0;
    for (const { key, value } of expected) {
      let order = 1;
      for (; index < plain.count; index += 1) {
        order = plain.compare(index, key, MEMBER_HANDLE_AT);
        if (order >= 0) break;
        unusual.push(plain.report(index));
      }
      if (index < plain.count && order === 0) {
        const isSame = versionOfMember(value) === plain.version(index);
        if (!isSame || !(isUnmarked || this.#isUnmarked(server, plain.handle(index))))
          unusual.push(plain.report(index));
        index += 1;
        continue;
      }
      const handle = handleOfMemberKey(key);
      if (!others.has(handle)) absent.push(handle);
    }
    for (; index < plain.count; index += 1) unusual.push(plain.report(index));
    return { unusual, absent };
  }

  #isUnmarked(server: number, handle: string): boolean {
    return !this.#conditions.isMarked(server, handle) && !this.isOrdered(server, handle);
  }

  /**
   * Orders for the answer to a heartbeat. They stay until the server reports the replica gone. Those that have to wait, as
   * each surplus copy may while repair goes on, make room for others to be looked at next time; so do those that are given: a disk
   * that does not answer holds up no order for another one of the server.
   */
  ordersFor(server: ServerEntry): QuarantineOrder[] {
    if (this.#safeMode.isActive || !server.inventoryComplete) return [];
    const { quarantineLookedAtMax, quarantineOrdersMax } = this.#context.config.bounds;
    const orders: QuarantineOrder[] = [];
    const transaction = this.#context.decisions.read();
    for (const waiting of this.#orders.next(server.id, quarantineLookedAtMax)) {
      if (orders.length === quarantineOrdersMax) break;
      const { order } = waiting;
      const chunk = transaction.chunk(order.handle);
      if (this.#isNeeded(server.id, order.handle, chunk)) this.#orders.delete(server.id, order.handle);
      else if (this.#mayBecomeMember(server.id, chunk) || this.#isKept(waiting, chunk)) {
        this.#orders.putOff(server.id, order.handle);
      } else orders.push(order);
    }
    // What made them unneeded may still be lost in a crash; then they are needed.
    if (this.#context.decisions.settled(transaction) !== undefined) return [];
    for (const { handle } of orders) this.#orders.putOff(server.id, handle);
    return orders;
  }

  /** A view is pending with it. Of a deleted chunk none comes of that any more. */
  #mayBecomeMember(server: number, chunk: Chunk | undefined): boolean {
    if (chunk === undefined || chunk.state === ChunkState.CHUNK_STATE_GARBAGE) return false;
    return chunk.pendingMembers.includes(server);
  }

  /**
   * None goes while it may be the last that is: also no member's bad one, for which another was sound when that was ordered. Two with
   * rot may hold between them what neither does. No copy is too many while fewer of the members' are sound than there should be,
   * unless another is to replace it.
   */
  #isKept({ order: { handle, reason }, isInTheWay }: WaitingOrder, chunk: Chunk | undefined): boolean {
    if (chunk === undefined || chunk.state === ChunkState.CHUNK_STATE_GARBAGE) return false;
    const count = this.soundCount(handle, chunk);
    if (count === 0) return true;
    return reason === 'surplus' && (chunk.pendingVersion !== 0 || (count < chunk.goal && !isInTheWay));
  }

  /** The world has moved on since the order was given: the server is a member again, with a good copy. */
  #isNeeded(server: number, handle: string, chunk: Chunk | undefined): boolean {
    if (this.#conditions.get(server, handle) !== undefined) return false;
    if (chunk === undefined || chunk.state === ChunkState.CHUNK_STATE_GARBAGE) return false;
    return chunk.members.includes(server);
  }

  order(server: number, order: QuarantineOrder): void {
    if (this.isAwaited(server, order.handle)) this.#heldBack.set(order.handle, { server, order });
    else this.#orders.add(server, order);
  }

  /**
   * The copy of the chunk that the server was to get, or that was to be taken back, has joined, or will not: its server may
   * have told of it before, and tells no more.
   */
  copyEnded(server: number, handle: string): void {
    const heldBack = this.#heldBack.get(handle);
    this.#heldBack.delete(handle);
    // What was ordered before it joined is about a copy beside the members. It would stay where the copy is lost, or rots, before
    // its server tells of it as a member: the order would wait for enough sound copies, and the copy in its place for the order.
    if (this.#context.decisions.read().chunk(handle)?.members.includes(server)) this.#orders.delete(server, handle);
    else if (heldBack !== undefined) this.#orders.add(heldBack.server, heldBack.order);
  }

  /** The server was asked and does not have the chunk: as if it had reported it gone. */
  absent(server: number, handle: string): void {
    this.#orders.delete(server, handle);
    const chunk = this.#context.decisions.read().chunk(handle);
    if (chunk !== undefined && needsNoReplica(chunk)) this.#conditions.clear(server, handle);
    else if (this.#conditions.get(server, handle) !== undefined) this.#conditions.set(server, handle, 'missing');
    this.onGone(server, handle);
  }

  /** The server is off the list. */
  forget(server: number): void {
    this.#orders.forget(server);
    this.#conditions.forget(server);
  }

  /** An order to quarantine the chunk waits for the server's report. */
  isOrdered(server: number, handle: string): boolean {
    return this.#orders.get(server, handle) !== undefined;
  }

  /** Servers that have a copy of the chunk beside its members. */
  surplusOf(handle: string): readonly number[] {
    return this.#orders.holdersOf(handle);
  }

  /** Of those, the ones whose copies may hold what the chunk holds. */
  sparesOf(handle: string): number[] {
    return this.surplusOf(handle).filter((server) => !this.#orders.get(server, handle)!.isRefused);
  }

  /** The copy beside the members does not hold, or cannot be shown to hold, what the chunk holds. */
  refuseSpare(server: number, handle: string): void {
    const waiting = this.#orders.get(server, handle);
    if (waiting !== undefined) waiting.isRefused = true;
  }

  /** Another copy is to take the place of the one ordered away, if that is not the last. */
  makeWay(server: number, handle: string): void {
    this.#orders.makeWay(server, handle);
  }

  #take(transaction: Transaction, server: ServerEntry, report: ReplicaReport): void {
    const chunk = this.#context.plans.chunk(transaction, report.handle);
    const verdict = judge(server.id, chunk, report);
    if (verdict.kind !== 'unneeded') {
      this.#orders.delete(server.id, report.handle);
      if (this.#heldBack.get(report.handle)?.server === server.id) this.#heldBack.delete(report.handle);
    }
    switch (verdict.kind) {
      case 'fine':
        this.#conditions.clear(server.id, report.handle);
        break;
      case 'gone':
        if (chunk?.members.includes(server.id) && chunk.state !== ChunkState.CHUNK_STATE_GARBAGE) {
          if (isExpectedOnDisk(chunk)) this.lost(server, report.handle);
          else this.#notShown(server, report.handle, chunk);
        } else this.#conditions.clear(server.id, report.handle);
        this.onGone(server.id, report.handle);
        break;
      case 'exception': {
        this.#conditions.set(server.id, report.handle, verdict.exception);
        const message = `the copy of chunk ${report.handle} on server ${server.id} (${server.address}) is ${verdict.exception}`;
        const detail = report.message === '' ? '' : `: ${report.message}`;
        this.#report(verdict.exception, server, report.handle, message + detail);
        break;
      }
      case 'unneeded':
        // It may be a member by the next report, and rot is told once.
        if (report.condition === Condition.REPLICA_CONDITION_CORRUPT && this.isAwaited(server.id, report.handle)) {
          this.#conditions.set(server.id, report.handle, 'corrupt');
        }
        this.order(server.id, verdict.order);
        break;
    }
  }

  /**
   * An upload's replica appears with its first frame, a fresh chunk's with its first mutation: nobody can tell before. Nor does
   * a part of an inventory tell of what was made while it was on its way, so the server is asked again (unshown-replicas.ts).
   */
  #notShown(server: ServerEntry, handle: string, chunk: Readonly<Chunk> | undefined): void {
    if (chunk === undefined) return;
    if (needsNoReplica(chunk))
      this.#conditions.clear(server.id, handle); // with it went what was wrong
    else this.#conditions.notShown(server.id, handle);
  }

  /** The server is a member without its copy. */
  lost(server: ServerEntry, handle: string): void {
    this.#conditions.set(server.id, handle, 'missing');
    this.#report(
      'missing',
      server,
      handle,
      `server ${server.id} (${server.address}) has lost its copy of chunk ${handle}`,
    );
  }

  #report(kind: string, server: ServerEntry, handle: string, message: string): void {
    this.#problems.report({ kind, handle, serverId: server.id, path: '', message });
    this.#context.seams.log.warn('replica is not as it should be', { kind, handle, server: server.id });
  }

  /** What the log places on the server, behind `after` and up to `through`. */
  *#expected(
    transaction: Transaction,
    server: number,
    after: string,
    through: string | undefined,
  ): Generator<MemberEntry> {
    const { inventoryComparedAtOnce } = this.#context.config.bounds;
    const { start, end } = memberRange(server);
    let from = after === '' ? start : `${memberKey(server, after)}\0`;
    const until = through === undefined ? end : `${memberKey(server, through)}\0`;
    for (;;) {
      const entries = transaction.range({ start: from, end: until }, inventoryComparedAtOnce);
      yield* entries;
      if (entries.length < inventoryComparedAtOnce) return;
      from = `${entries.at(-1)!.key}\0`;
    }
  }
}

interface MemberEntry {
  readonly key: Key;
  readonly value: Uint8Array;
}

/**
 * The highest handle of a part; that of the part before when it is empty.
 *
 * @throws FsError INVALID_ARGUMENT  the part is not in order.
 */
function endOfPart(replicas: readonly ReplicaReport[], plain: PlainReplicas, after: string): string {
  let end = after;
  const goOn = (handle: string) => {
    if (handle > end) end = handle;
    else throw new FsError('INVALID_ARGUMENT', `an inventory goes in order of handle: ${handle} after ${end}`);
  };
  for (const { handle } of replicas) goOn(handle);
  if (plain.count === 0) return end;
  const [first, last] = [plain.handle(0), plain.handle(plain.count - 1)];
  if (first <= after) {
    throw new FsError('INVALID_ARGUMENT', `an inventory goes in order of handle: ${first} after ${after}`);
  }
  if (last > end) end = last;
  return end;
}

function judge(server: number, chunk: Readonly<Chunk> | undefined, report: ReplicaReport): Verdict {
  const { handle, version, pendingVersion, condition } = report;
  if (condition === Condition.REPLICA_CONDITION_GONE) return { kind: 'gone' };
  const unneeded = (reason: string, versionAtMost: number): Verdict => {
    return { kind: 'unneeded', order: { handle, versionAtMost, reason } };
  };
  const highest = Math.max(version, pendingVersion);
  if (chunk === undefined) return unneeded('orphan', highest);
  if (chunk.state === ChunkState.CHUNK_STATE_GARBAGE) {
    const isOrderedAway = chunk.members.includes(server) || chunk.pendingMembers.includes(server); // by garbage collection
    return isOrderedAway ? { kind: 'fine' } : unneeded('deleted', highest);
  }
  const isMember = chunk.members.includes(server);
  // Told once: of an upload's replica it counts when the file is there.
  if (isMember && condition === Condition.REPLICA_CONDITION_CORRUPT) return { kind: 'exception', exception: 'corrupt' };
  if (chunk.state === ChunkState.CHUNK_STATE_UPLOADING) return { kind: 'fine' };
  // Kept until the view is decided.
  if (!isMember) return unneeded('surplus', highest);
  // Begun, and never made: a crash took the record of the view that it was to be made with.
  if (highest === 0) return { kind: 'gone' };
  if (chunk.behindMembers.includes(server)) return { kind: 'exception', exception: 'stale' };
  // What it has promised of a view that is pending says nothing yet; whether it was in sync at the one before does.
  const isInSync = inSyncVersion(report) >= chunk.version;
  // A promise to leave the version is no promise to hold it.
  const isCurrent = version === chunk.version || (pendingVersion === chunk.version && !report.removed);
  const isFine = chunk.pendingVersion === 0 ? isCurrent : isInSync;
  return isFine ? { kind: 'fine' } : { kind: 'exception', exception: 'stale' };
}
