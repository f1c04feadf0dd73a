/**
 * How repair has one chunk cloned: to another server, or in the place of a member that has no good copy. The chunk is closed
 * before; the clone joins by a view change, and counts only from then on.
 */
import { FsError, isFsError, UNREACHABLE } from '@cairnfs/base';
import { ChunkserverControlMethods } from '@cairnfs/protocol';
import type { ReplicaConditions } from '../cluster/replica-conditions.ts';
import type { ReplicaReports } from '../cluster/replica-reports.ts';
import type { ServerTable } from '../cluster/server-table.ts';
import type { MasterContext, Views } from '../context.ts';
import { type Chunk, ChunkState } from '../gen/cairn/master/v1/state.ts';
import { CLONE_TIMEOUT_MS } from '../limits.ts';
import { JoinFailure } from '../views/join-failure.ts';
import type { ViewChanges } from '../views/view-change.ts';
import type { FailingServers } from './failing-servers.ts';
import { Overtaken } from './overtaken.ts';

interface CloningParts {
  readonly servers: ServerTable;
  readonly conditions: ReplicaConditions;
  readonly reports: ReplicaReports;
  readonly changes: ViewChanges;
  readonly views: Views;
  readonly failing: FailingServers;
  readonly failingSources: FailingServers;
  /** Members with a copy that is sound. */
  readonly sound: (handle: string, chunk: Chunk) => readonly number[];
}

export class Cloning {
  readonly #context: MasterContext;
  readonly #parts: CloningParts;
  /** Chunks that were written to before their copy was whole. */
  readonly #overtaken = new Overtaken();
  #copiedCount = 0;
  #copiedBytes = 0;

  constructor(context: MasterContext, parts: CloningParts) {
    this.#context = context;
    this.#parts = parts;
  }

  /** Clones that have joined, since the start. */
  get copiedCount(): number {
    return this.#copiedCount;
  }

  /** The bytes in them. */
  get copiedBytes(): number {
    return this.#copiedBytes;
  }

  /**
   * The chunk stays closed while it is copied, or one that is written to all the time would never have its copies back; but
   * not for long. Where that is too short for a copy, the next time is twice as long, after a pause of many times that.
   *
   * @throws FsError UNAVAILABLE  the chunk was written to meanwhile, and nothing has joined.
   */
  async clone(handle: string, { source, target }: { source: number; target: number }): Promise<void> {
    const { views } = this.#parts;
    const kept = views.keepClosed(handle, this.#overtaken.closedMs(handle));
    try {
      await this.#clone(handle, source, target);
      this.#overtaken.ended(handle);
    } catch (error) {
      const isOvertaken = this.#context.decisions.read().chunk(handle)?.state === ChunkState.CHUNK_STATE_OPEN;
      if (isOvertaken) this.#overtaken.again(handle);
      this.#learn({ source: isOvertaken ? undefined : source, target }, error);
    } finally {
      kept.end();
    }
  }

  /** How long the chunk is left to those who write to it before another copy is tried. */
  pauseMs(handle: string): number {
    return this.#overtaken.pauseMs(handle);
  }

  /** Members that have no copy that counts, for as long as can be told. */
  lost(handle: string, chunk: Chunk): number[] {
    const { servers, conditions } = this.#parts;
    return chunk.members.filter((member) => servers.isGivenUp(member) || conditions.get(member, handle) !== undefined);
  }

  /**
   * When one joins another may have to leave: that is one of which nobody can tell what it holds, not one with a sound copy.
   * More of these than need to leave are asked, and stay if they answer.
   */
  leaving(handle: string, chunk: Chunk): number[] {
    const { servers, conditions } = this.#parts;
    const lost = this.lost(handle, chunk);
    const surplusCount = Math.max(0, chunk.members.length - lost.length + 1 - chunk.goal);
    const isSilent = (member: number) => conditions.isUnshown(member, handle) && servers.isUnanswering(member);
    const silent = chunk.members.filter((member) => !lost.includes(member) && isSilent(member));
    return [...lost, ...silent.slice(0, surplusCount)];
  }

  /**
   * No other server can take a copy: a member without a good one gets it anew. A bad copy is put into quarantine before,
   * as long as there is a good one; it is not deleted for a while yet. Of an open chunk no member's copy is ordered away:
   * that a member has none may prove that it never had one (views/view-change.ts).
   */
  targetInPlace(handle: string, chunk: Chunk): number | undefined {
    const { servers, conditions, reports } = this.#parts;
    if (this.#parts.sound(handle, chunk).length === 0) return undefined;
    for (const member of chunk.members) {
      const condition = servers.isLive(member) ? conditions.get(member, handle) : undefined;
      if (condition === 'missing') return member;
      if (condition === undefined || chunk.state !== ChunkState.CHUNK_STATE_CLOSED) continue;
      reports.order(member, { handle, versionAtMost: chunk.version, reason: condition });
    }
    return undefined;
  }

  /** An open chunk of which a copy is to be ordered away. */
  isToClose(handle: string, { state, members }: Chunk): boolean {
    if (state !== ChunkState.CHUNK_STATE_OPEN) return false;
    const { servers, conditions } = this.#parts;
    const conditionsOfLive = members
      .filter((member) => servers.isLive(member))
      .map((one) => conditions.get(one, handle));
    return conditionsOfLive.some((condition) => condition === 'corrupt' || condition === 'stale');
  }

  /** Its copies are ordered away once it is closed, the good ones excepted. */
  async closeInPlace(handle: string): Promise<void> {
    await this.#parts.views.close(handle, { seal: false });
    const chunk = this.#context.decisions.read().chunk(handle);
    if (chunk?.state === ChunkState.CHUNK_STATE_CLOSED) this.targetInPlace(handle, chunk);
  }

  async #clone(handle: string, source: number, target: number): Promise<void> {
    const { decisions, pool, seams } = this.#context;
    const { servers, conditions, views, changes, failing, failingSources } = this.#parts;
    // A chunk being written is closed first; its writer opens it again and finds the new view.
    await views.close(handle, { seal: false });
    await changes.whenIdle(handle);
    let chunk = decisions.read().chunk(handle);
    if (chunk?.state !== ChunkState.CHUNK_STATE_CLOSED || chunk.pendingVersion !== 0) return;
    if (chunk.length > 0 || chunk.sequence > 0) {
      // What it has lost may return with its disk, alone: it leaves with that, so that the copy is of a version of its own.
      if (chunk.members.includes(target)) chunk = await changes.change(handle, { without: this.lost(handle, chunk) });
      if (chunk.state !== ChunkState.CHUNK_STATE_CLOSED || chunk.members.includes(target)) return;
    }
    const { version, length, sequence } = chunk;
    conditions.clear(target, handle); // what is told from here on counts
    if (length > 0 || sequence > 0) {
      const request = {
        handle,
        version,
        length,
        sequence,
        sourceAddress: servers.get(source)?.address ?? '',
        serverId: target,
      };
      const channel = pool.channel(servers.get(target)?.address ?? '');
      const reply = await channel.call(ChunkserverControlMethods.cloneReplica, request, {
        timeoutMs: CLONE_TIMEOUT_MS,
      });
      const current = decisions.read().chunk(handle);
      const isSame = current?.version === version && current.sequence === reply.message.sequence;
      // What was copied is old, and goes to quarantine as a surplus.
      if (!isSame || current.state !== ChunkState.CHUNK_STATE_CLOSED) {
        throw new FsError('UNAVAILABLE', `chunk ${handle} was written to while it was copied`, { details: { handle } });
      }
    }
    await changes.change(handle, { joining: target, without: this.leaving(handle, chunk) });
    failing.worked(target);
    failingSources.worked(source);
    this.#copiedCount += 1;
    this.#copiedBytes += length;
    seams.log.info('a chunk was copied', { handle, source, target, bytes: length });
  }

  /** The next copy goes elsewhere, and comes from elsewhere, if it can: who is at fault may be neither, but nothing is lost. */
  #learn({ source, target }: { source: number | undefined; target: number }, error: unknown): never {
    const { failing, failingSources, servers } = this.#parts;
    if (error instanceof JoinFailure || isFsError(error, ...UNREACHABLE)) failing.failed(target);
    if (isFsError(error, 'NO_SPACE')) servers.noteFull(target);
    else if (source !== undefined && !(error instanceof JoinFailure)) failingSources.failed(source);
    throw error;
  }
}
