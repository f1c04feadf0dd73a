/**
 * Chunkservers that do not come back: since when is written down, and an operator may take one off the list that holds
 * nothing any file needs. Its number is never given to another. Should it come back after all, it registers under that number
 * as one without which anything may have changed: what it holds is compared with the log before it serves, and what nobody
 * needs goes to quarantine as any orphan does.
 */
import { FsError, type Timer } from '@cairnfs/base';
import type { ForgetServerReply, ForgetServerRequest } from '@cairnfs/protocol';
import type { MasterContext } from '../context.ts';
import { ChunkState } from '../gen/cairn/master/v1/state.ts';
import { DEAD_NOTED_INTERVAL_MS, REPLICAS_COUNTED_MAX } from '../limits.ts';
import { handleOfMemberKey, META, memberRange, serverKey } from '../state/keys.ts';
import type { Transaction } from '../state/transaction.ts';
import type { ServerEntry, ServerTable } from './server-table.ts';

export class DeadServers {
  readonly #context: MasterContext;
  readonly #servers: ServerTable;
  /** Runs when a server is off the list: nothing is kept of it. */
  onForgotten: (server: number) => void = () => {};
  #timer: Timer | undefined;
  #running: Promise<void> = Promise.resolve();
  #isStopped = false;

  constructor(context: MasterContext, servers: ServerTable) {
    this.#context = context;
    this.#servers = servers;
  }

  start(): void {
    this.#timer = this.#context.seams.clock.after(DEAD_NOTED_INTERVAL_MS, () => {
      this.#running = this.#note()
        .catch((error: unknown) => this.#context.seams.log.warn('dead servers are noted later', { error }))
        .then(() => {
          if (!this.#isStopped) this.start();
        });
    });
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    await this.#running;
  }

  /**
   * @throws FsError INVALID_ARGUMENT  it is not dead, chunks of files or of uploads count on it, or it was never a server of
   * this cluster.
   */
  async forget({ serverId: id }: ForgetServerRequest): Promise<{ message: ForgetServerReply }> {
    const isForgotten = await this.#context.decisions.perform('serverForgotten', (transaction) => {
      const server = this.#servers.get(id);
      if (server === undefined) {
        if (id > 0 && id < transaction.counter(META.nextServer)) return false; // a repetition
        throw new FsError('INVALID_ARGUMENT', `there is no chunkserver ${id} in this cluster`);
      }
      this.#checkDead(server);
      this.#checkUnneeded(transaction, server);
      transaction.remove(serverKey(id));
      transaction.afterAppend(() => {
        this.#servers.forget(id);
        this.onForgotten(id);
      });
      return true;
    });
    if (isForgotten) this.#context.seams.log.info('a dead chunkserver was forgotten', { id });
    return { message: {} };
  }

  #checkDead(server: ServerEntry): void {
    if (this.#servers.isGone(server.id) && this.#servers.hasRunOut(server.id)) return;
    const { id, address } = server;
    const waitMs = this.#servers.untilRunOutMs(id);
    const message = this.#servers.isLive(id)
      ? `chunkserver ${id} (${address}) is live: stop it for good first`
      : `chunkserver ${id} (${address}) does not count as dead yet: try again in ${Math.ceil(waitMs / 1000)} s`;
    throw new FsError('INVALID_ARGUMENT', message, { details: { id, address } });
  }

  #checkUnneeded(transaction: Transaction, { id, address }: ServerEntry): void {
    const entries = transaction.range(memberRange(id), REPLICAS_COUNTED_MAX);
    const isNeeded = (handle: string) => transaction.chunk(handle)?.state !== ChunkState.CHUNK_STATE_GARBAGE;
    const count = entries.filter(({ key }) => isNeeded(handleOfMemberKey(key))).length;
    const isAll = entries.length < REPLICAS_COUNTED_MAX;
    const refuse = (what: string, why: string): never => {
      const message = `${what} on chunkserver ${id} (${address}): ${why}`;
      throw new FsError('INVALID_ARGUMENT', message, { details: { id, address, count } });
    };
    if (count > 0) {
      const chunks = count === 1 ? 'chunk of files still counts' : 'chunks of files still count';
      refuse(
        `${isAll ? '' : 'at least '}${count} ${chunks}`,
        'what has too few copies is copied to others first, which takes a live chunkserver without a copy of it; ' +
          '"cairn status" shows how many are left',
      );
    }
    if (!isAll) refuse('deleted chunks still count', 'they are collected by themselves, try again in a few minutes');
    if (this.#context.plans.countsOn(id)) {
      refuse('an upload counts', 'it is confirmed, or given up when its client is silent, try again in a minute');
    }
  }

  async #note(): Promise<void> {
    const { decisions, seams } = this.#context;
    const unnoted = [...this.#servers.all].filter(
      ({ id, deadSinceMs }) => deadSinceMs === 0 && this.#servers.isGone(id),
    );
    if (unnoted.length === 0) return;
    await decisions.perform('serverDied', (transaction) => {
      for (const server of unnoted) {
        const record = transaction.server(server.id);
        if (record === undefined || !this.#servers.isGone(server.id)) continue; // back, or forgotten
        const deadSinceMs = Math.round(seams.clock.wallMs() - this.#servers.silentMs(server));
        transaction.putServer(server.id, { ...record, deadSinceMs });
        transaction.afterAppend(() => {
          server.deadSinceMs = deadSinceMs;
        });
      }
    });
  }
}
