/** Opening, closing, measuring and retiring chunks: what the namespace needs of views and leases. */
import { FsError } from '@cairnfs/base';
import { ChunkserverControlMethods, ChunkserverDataMethods } from '@cairnfs/protocol';
import { describeReplicas } from '../cluster/describe-replicas.ts';
import type { ReplicaConditions } from '../cluster/replica-conditions.ts';
import type { ServerTable } from '../cluster/server-table.ts';
import { minimumOf } from '../config.ts';
import type { KeptClosed, MasterContext, OpenEnd, Views } from '../context.ts';
import { type Chunk, ChunkState } from '../gen/cairn/master/v1/state.ts';
import {
  CHUNK_ROUNDS_MAX,
  KEPT_CLOSED_WAIT_MS,
  LENGTH_TIMEOUT_MS,
  PING_TIMEOUT_MS,
  REVOKE_TIMEOUT_MS,
} from '../limits.ts';
import { closeChunk } from '../state/close-chunk.ts';
import { within } from '../within.ts';
import type { LeaseTable } from './lease-table.ts';
import { settledBy } from './settled.ts';
import { copiesInReach, type ViewChanges } from './view-change.ts';

export class ClusterViews implements Views {
  readonly #context: MasterContext;
  readonly #servers: ServerTable;
  readonly #conditions: ReplicaConditions;
  readonly #leases: LeaseTable;
  readonly #changes: ViewChanges;
  readonly #closing = new Map<string, Promise<void>>();
  /** Chunks that nobody may open, until each promise resolves; as many as there are copies under way. */
  readonly #keptClosed = new Map<string, Promise<void>>();

  constructor(
    context: MasterContext,
    parts: { servers: ServerTable; conditions: ReplicaConditions; leases: LeaseTable; changes: ViewChanges },
  ) {
    this.#context = context;
    this.#servers = parts.servers;
    this.#conditions = parts.conditions;
    this.#leases = parts.leases;
    this.#changes = parts.changes;
  }

  async open(handle: string, suspected: readonly number[]): Promise<void> {
    const { decisions } = this.#context;
    let suspects = await this.#unreachable(suspected);
    for (let round = 0; round < CHUNK_ROUNDS_MAX; round += 1) {
      await this.#settled(handle);
      const chunk = this.#chunk(handle);
      const bad = chunk.members.filter((member) => suspects.includes(member) || !this.#isSound(member, handle));
      const minimum = minimumOf(this.#context.config, chunk.goal);
      if (chunk.members.length - bad.length < minimum)
        throw tooSmall(handle, chunk.members.length - bad.length, minimum);
      if (bad.length > 0 || chunk.pendingVersion !== 0) {
        await this.#changes.change(handle, { without: bad });
        suspects = [];
        continue;
      }
      if (chunk.state === ChunkState.CHUNK_STATE_OPEN) return;
      const kept = this.#keptClosed.get(handle);
      if (kept !== undefined) {
        if (!(await within(this.#context.seams.clock, KEPT_CLOSED_WAIT_MS, kept))) throw beingCopied(handle);
        continue;
      }
      const isOpen = await decisions.perform('chunkOpened', (transaction) => {
        const current = transaction.chunk(handle);
        if (current?.state !== ChunkState.CHUNK_STATE_CLOSED || current.pendingVersion !== 0) return false;
        transaction.putChunk(handle, {
          ...current,
          state: ChunkState.CHUNK_STATE_OPEN,
          baseSequence: current.sequence,
        });
        return true;
      });
      if (isOpen) return;
    }
    throw unsettled(handle);
  }

  async close(handle: string, { seal }: { seal: boolean }): Promise<void> {
    for (let round = 0; round < CHUNK_ROUNDS_MAX; round += 1) {
      // The check and the start are one step: of several that waited, one starts and the others wait again.
      while (this.#isUnsettled(handle)) await this.#settled(handle);
      const chunk = this.#context.decisions.read().chunk(handle);
      if (chunk === undefined || chunk.state === ChunkState.CHUNK_STATE_GARBAGE) return;
      if (chunk.state === ChunkState.CHUNK_STATE_CLOSED && (chunk.sealed || !seal)) return;
      const work = this.#closeOnce(handle, chunk, seal).finally(() => this.#closing.delete(handle));
      this.#closing.set(handle, work);
      await work;
    }
    throw unsettled(handle);
  }

  keepClosed(handle: string, ms: number): KeptClosed {
    let open = () => {};
    const kept = new Promise<void>((resolve) => (open = resolve));
    const end = () => {
      timer.cancel();
      if (this.#keptClosed.get(handle) === kept) this.#keptClosed.delete(handle);
      open();
    };
    const timer = this.#context.seams.clock.after(ms, end);
    this.#keptClosed.set(handle, kept);
    return { end };
  }

  async end(handle: string): Promise<OpenEnd | undefined> {
    for (let round = 0; round < CHUNK_ROUNDS_MAX; round += 1) {
      await this.#settled(handle);
      const chunk = this.#context.decisions.read().chunk(handle);
      if (chunk === undefined || chunk.state === ChunkState.CHUNK_STATE_GARBAGE) return undefined;
      if (chunk.state !== ChunkState.CHUNK_STATE_OPEN) return { length: chunk.length, changedMs: undefined };
      // Never written to: no lease was ever out.
      const primary = this.#servers.get(chunk.members[0] ?? 0);
      if (chunk.pendingVersion === 0 && primary !== undefined) {
        try {
          const channel = this.#context.pool.channel(primary.address);
          const request = { handle, version: chunk.version };
          const options = { timeoutMs: LENGTH_TIMEOUT_MS };
          const reply = await channel.call(ChunkserverDataMethods.getChunkLength, request, options);
          return settledBy(handle, chunk, reply.message);
        } catch (error) {
          this.#context.seams.log.info('a primary did not tell its length', { handle, primary: primary.id, error });
        }
      }
      await this.close(handle, { seal: false });
    }
    throw unsettled(handle);
  }

  waitsForPrimary(handle: string): boolean {
    const chunk = this.#context.decisions.read().chunk(handle);
    if (chunk?.state !== ChunkState.CHUNK_STATE_OPEN || chunk.pendingVersion !== 0) return false;
    const isLed = this.#leases.state(handle).kind !== 'free';
    return !isLed && this.#servers.isLive(chunk.members[0] ?? 0) && !this.#isUnsettled(handle);
  }

  async retire(handles: readonly string[]): Promise<void> {
    const queue = [...new Set(handles)];
    const worker = async () => {
      for (let handle = queue.pop(); handle !== undefined; handle = queue.pop()) await this.#retire(handle);
    };
    const { retiredAtOnce } = this.#context.config.bounds;
    await Promise.all(Array.from({ length: Math.min(retiredAtOnce, queue.length) }, worker));
  }

  async #retire(handle: string): Promise<void> {
    const chunk = this.#context.decisions.read().chunk(handle);
    if (chunk === undefined) return;
    const isGarbage = chunk.state === ChunkState.CHUNK_STATE_GARBAGE;
    await this.#changes.change(handle, isGarbage ? { retire: true } : {});
  }

  async #closeOnce(handle: string, chunk: Chunk, seal: boolean): Promise<void> {
    const { decisions, seams } = this.#context;
    if (chunk.state === ChunkState.CHUNK_STATE_CLOSED) {
      await decisions.perform('chunkSealed', (transaction) => {
        const current = transaction.chunk(handle);
        if (current?.state !== ChunkState.CHUNK_STATE_CLOSED) return;
        const { length, sequence } = current;
        closeChunk(transaction, handle, current, { length, sequence, sealed: true }, seams.clock.wallMs());
      });
      return;
    }
    const settled = chunk.pendingVersion === 0 ? await this.#revoke(handle, chunk, seal) : undefined;
    if (settled !== undefined) {
      try {
        await decisions.perform('chunkClosed', (transaction) => {
          const current = transaction.chunk(handle);
          // Of one that was deleted meanwhile nobody gets a lease any more, and none is kept. A change of the view ends it otherwise.
          if (current?.state !== ChunkState.CHUNK_STATE_OPEN) this.#leases.free(handle);
          if (current === undefined || !isSameView(current, chunk)) return;
          closeChunk(transaction, handle, current, { ...settled, sealed: seal }, seams.clock.wallMs());
          this.#leases.free(handle);
        });
      } catch (error) {
        // It stays open, and its primary has given the lease back: it may have it again.
        this.#leases.free(handle);
        throw error;
      }
      return;
    }
    // The primary is not to be had: a view without it agrees on the end, and nobody has a lease under that yet.
    const without = this.#servers.isLive(chunk.members[0]!) ? [] : [chunk.members[0]!];
    await this.#changes.change(handle, { without });
    await decisions.perform('chunkClosed', (transaction) => {
      const current = transaction.chunk(handle);
      const isFree = this.#leases.state(handle).kind === 'free';
      if (current?.state !== ChunkState.CHUNK_STATE_OPEN || current.pendingVersion !== 0 || !isFree) return;
      const { length, sequence } = current;
      closeChunk(transaction, handle, current, { length, sequence, sealed: seal }, seams.clock.wallMs());
    });
  }

  /** @returns where the chunk ends, or undefined when its primary does not answer. */
  async #revoke(
    handle: string,
    chunk: Chunk,
    seal: boolean,
  ): Promise<(OpenEnd & { readonly sequence: number }) | undefined> {
    const primary = this.#servers.get(chunk.members[0] ?? 0);
    if (primary === undefined) return undefined;
    this.#leases.revoke(handle);
    try {
      const channel = this.#context.pool.channel(primary.address);
      const request = { handle, version: chunk.version, seal };
      const options = { timeoutMs: REVOKE_TIMEOUT_MS };
      const { message } = await channel.call(ChunkserverControlMethods.revokeLease, request, options);
      return settledBy(handle, chunk, message);
    } catch (error) {
      this.#leases.free(handle);
      this.#context.seams.log.info('a primary did not give its lease back', { handle, primary: primary.id, error });
      return undefined;
    }
  }

  /** Of those the client could not reach, the ones that the master cannot reach either. */
  async #unreachable(suspected: readonly number[]): Promise<number[]> {
    const answers = await Promise.all(
      suspected.map(async (member) => {
        const server = this.#servers.get(member);
        if (server === undefined || !this.#servers.isLive(member)) return member;
        try {
          await describeReplicas(this.#context, server, [], PING_TIMEOUT_MS);
          return undefined;
        } catch (error) {
          this.#context.seams.log.info('a suspected server does not answer', { server: member, error });
          return member;
        }
      }),
    );
    return answers.filter((member) => member !== undefined);
  }

  #isSound(member: number, handle: string): boolean {
    return this.#servers.isLive(member) && this.#conditions.get(member, handle) === undefined;
  }

  #isUnsettled(handle: string): boolean {
    return this.#closing.has(handle) || this.#changes.isRunning(handle);
  }

  /** Until no view change and no closing of the chunk is under way. */
  async #settled(handle: string): Promise<void> {
    for (;;) {
      const closing = this.#closing.get(handle);
      if (closing !== undefined)
        await closing.catch(() => undefined); // its caller hears of it
      else if (this.#changes.isRunning(handle)) await this.#changes.whenIdle(handle);
      else return;
    }
  }

  #chunk(handle: string): Chunk {
    const chunk = this.#context.decisions.read().chunk(handle);
    const isUsable = chunk?.state === ChunkState.CHUNK_STATE_OPEN || chunk?.state === ChunkState.CHUNK_STATE_CLOSED;
    if (isUsable) return chunk!;
    throw new FsError('CHUNK_NOT_FOUND', `chunk ${handle} is no part of a file any more`, { details: { handle } });
  }
}

function isSameView(a: Chunk, b: Chunk): boolean {
  return a.state === ChunkState.CHUNK_STATE_OPEN && a.version === b.version && a.pendingVersion === 0;
}

function tooSmall(handle: string, inReach: number, minimum: number): FsError {
  const message = `chunk ${handle} has ${copiesInReach(inReach)}, at least ${minimum} are needed to change it`;
  return new FsError('VIEW_TOO_SMALL', message, { details: { handle, inReach, minimum } });
}

function beingCopied(handle: string): FsError {
  return new FsError('UNAVAILABLE', `chunk ${handle} is being copied: try again`, { details: { handle } });
}

function unsettled(handle: string): FsError {
  return new FsError('UNAVAILABLE', `chunk ${handle} changes its view all the time: try again`, {
    details: { handle },
  });
}
