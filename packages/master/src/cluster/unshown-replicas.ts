/**
 * Replicas that their servers did not show in an inventory. Whether one was ever written the log may not be able to say, and what was
 * made while a part was on its way is not in it: a server in use shows less than it has each time. As soon as the log can, each
 * is judged: it need not be there, or the server is asked for it and has it, or has lost it.
 */
import { FsError, toError } from '@cairnfs/base';
import type { ReplicaReport } from '@cairnfs/protocol';
import type { MasterContext, SafeMode } from '../context.ts';
import { type Chunk, ChunkState } from '../gen/cairn/master/v1/state.ts';
import { describeReplicas } from './describe-replicas.ts';
import type { ReplicaConditions } from './replica-conditions.ts';
import type { ServerEntry, ServerTable } from './server-table.ts';

/** Where goes what is found out (replica-reports.ts). */
interface Reports {
  takeChanges(server: ServerEntry, reports: readonly ReplicaReport[]): void;
  lost(server: ServerEntry, handle: string): void;
}

interface UnshownParts {
  servers: ServerTable;
  conditions: ReplicaConditions;
  safeMode: SafeMode;
  reports: Reports;
}

export class UnshownReplicas {
  readonly #context: MasterContext;
  readonly #servers: ServerTable;
  readonly #conditions: ReplicaConditions;
  readonly #safeMode: SafeMode;
  readonly #reports: Reports;
  /** Servers that are just asked for what they did not show. */
  readonly #asked = new Set<number>();

  constructor(context: MasterContext, { servers, conditions, safeMode, reports }: UnshownParts) {
    this.#context = context;
    this.#servers = servers;
    this.#conditions = conditions;
    this.#safeMode = safeMode;
    this.#reports = reports;
  }

  /**
   * What was not shown is looked at again: where the log says by now that the chunk has bytes, the server is asked. The replica
   * may have come into being since, as an upload's does, which nobody reports.
   */
  judge(): void {
    // Before the others have shown what they hold, nothing can be settled.
    if (this.#safeMode.isActive) return;
    const transaction = this.#context.decisions.read();
    const toAsk = new Map<number, string[]>();
    const unshowing = new Set<number>();
    for (const { server: id, handle } of this.#conditions.unshown(this.#context.config.bounds.unshownStep)) {
      const chunk = this.#context.plans.chunk(transaction, handle);
      const isJudged = chunk === undefined || !isMember(chunk, id) || needsNoReplica(chunk);
      // One that is gone does not count, and shows all it holds when it returns.
      if (isJudged || this.#servers.isGone(id)) {
        this.#conditions.clear(id, handle);
        continue;
      }
      unshowing.add(id);
      this.#conditions.leftUnshown(id, handle);
      if (isExpectedOnDisk(chunk)) toAsk.set(id, [...(toAsk.get(id) ?? []), handle]);
    }
    for (const server of this.#servers.all) if (!unshowing.has(server.id)) server.unansweredSinceMs = undefined;
    for (const [id, handles] of toAsk) void this.#ask(id, handles);
  }

  /** A member has not shown its replica of the open chunk, and the log has to learn first whether there were bytes. */
  hasOneOf(handle: string, chunk: Chunk): boolean {
    if (this.#safeMode.isActive || isExpectedOnDisk(chunk)) return false;
    return [...chunk.members, ...chunk.pendingMembers].some((member) => this.#conditions.isUnshown(member, handle));
  }

  async #ask(id: number, handles: string[]): Promise<void> {
    const server = this.#servers.get(id);
    if (server === undefined || !this.#servers.isInTouch(id) || this.#asked.has(id)) return;
    this.#asked.add(id);
    const { session } = server;
    try {
      const replicas = await describeReplicas(this.#context, server, handles);
      server.unansweredSinceMs = undefined;
      if (server.session !== session) return; // it shows all it holds anew
      const present = new Set(replicas.map(({ handle }) => handle));
      // Of others it has told meanwhile, and may have told of something newer than this answer: of rot, for one.
      const isUnshown = (handle: string) => this.#conditions.isUnshown(id, handle);
      for (const handle of handles) if (!present.has(handle) && isUnshown(handle)) this.#reports.lost(server, handle);
      this.#reports.takeChanges(
        server,
        replicas.filter(({ handle }) => isUnshown(handle)),
      );
    } catch (error) {
      const { clock, fatal, log } = this.#context.seams;
      if (!(error instanceof FsError)) return fatal(toError(error));
      server.unansweredSinceMs ??= clock.nowMs();
      log.info('a server did not say what it holds', { server: id, error });
    } finally {
      this.#asked.delete(id);
    }
  }
}

const isMember = ({ members, pendingMembers }: Chunk, server: number): boolean =>
  members.includes(server) || pendingMembers.includes(server);

/** A member without a replica of it is as good as one with an empty replica: it ends at 0, or no file needs it. */
export function needsNoReplica(chunk: Readonly<Chunk>): boolean {
  return !isExpectedOnDisk(chunk) && !mayBeWritten(chunk);
}

/** It may have bytes that the log does not know of. */
export function mayBeWritten({ state }: Readonly<Chunk>): boolean {
  return state === ChunkState.CHUNK_STATE_UPLOADING || state === ChunkState.CHUNK_STATE_OPEN;
}

/** Each of its members has a replica, or has lost it. */
export function isExpectedOnDisk({ state, length, sequence }: Readonly<Chunk>): boolean {
  if (state === ChunkState.CHUNK_STATE_UPLOADING || state === ChunkState.CHUNK_STATE_GARBAGE) return false;
  return length > 0 || sequence > 0;
}
