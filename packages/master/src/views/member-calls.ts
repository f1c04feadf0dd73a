/** `PrepareView` to the servers that are to stay in a chunk's view, and to those that leave it (docs/spec/views.md). */
import { FsError, isFsError } from '@cairnfs/base';
import { ChunkserverControlMethods, type PrepareViewReply } from '@cairnfs/protocol';
import type { ServerTable } from '../cluster/server-table.ts';
import type { MasterContext } from '../context.ts';
import type { Chunk } from '../gen/cairn/master/v1/state.ts';
import { CHUNKSERVER_CALL_TIMEOUT_MS } from '../limits.ts';
import type { Departure, Departures } from './departures.ts';
import { diskOf } from './first-disks.ts';
import type { Prepared } from './holdings.ts';
import { endsAs, type Rejoins } from './spare-copy.ts';

/**
 * How a member left: it promised; it did, or promised more, with a copy that is not in sync with the view; it has no
 * replica, as it said in this session; or its lease ran out unheard.
 */
export type Leave =
  | { readonly kind: 'promised'; readonly reply: PrepareViewReply }
  | { readonly kind: 'behind' }
  | { readonly kind: 'absent'; readonly error: FsError; readonly session: number | undefined }
  | { readonly kind: 'runOut'; readonly departure: Departure };

export class MemberCalls {
  readonly #context: MasterContext;
  readonly #servers: ServerTable;
  readonly #departures: Departures;

  constructor(context: MasterContext, parts: { servers: ServerTable; departures: Departures }) {
    this.#context = context;
    this.#servers = parts.servers;
    this.#departures = parts.departures;
  }

  /**
   * It is to be a member of the view that is pending.
   *
   * @param rejoins it is taken back: from what it is known to hold.
   */
  async stays(handle: string, chunk: Chunk, member: number, rejoins: Rejoins | undefined): Promise<Prepared> {
    if (rejoins === undefined) {
      return this.#prepare(handle, chunk, member, { oldVersion: chunk.version, removed: false });
    }
    const { inSyncAt: oldVersion, committedSequence } = rejoins;
    const prepared = await this.#prepare(handle, chunk, member, { oldVersion, removed: false, committedSequence });
    if (!('reply' in prepared) || endsAs(chunk, prepared.reply)) return prepared;
    const { stagedSequence, committedLength } = prepared.reply;
    const message = `chunk ${handle}: a copy that ends at sequence ${stagedSequence} and ${committedLength} bytes is not what the log knows`;
    return { member, error: new FsError('STALE_VERSION', message, { details: { handle } }) };
  }

  async #prepare(
    handle: string,
    chunk: Chunk,
    member: number,
    {
      oldVersion,
      removed,
      committedSequence = 0,
    }: { oldVersion: number; removed: boolean; committedSequence?: number },
  ): Promise<Prepared> {
    const { pool } = this.#context;
    const request = {
      handle,
      oldVersion,
      newVersion: chunk.pendingVersion,
      removed,
      masterSession: this.#context.incarnation,
      serverId: member,
      committedSequence,
      disk: diskOf(chunk, member),
    };
    try {
      const channel = pool.channel(this.#servers.get(member)?.address ?? '');
      const reply = await channel.call(ChunkserverControlMethods.prepareView, request, {
        timeoutMs: CHUNKSERVER_CALL_TIMEOUT_MS,
      });
      return { member, reply: reply.message };
    } catch (error) {
      const cause = isFsError(error) ? error : new FsError('INTERNAL', String(error), { cause: error });
      return { member, error: cause };
    }
  }

  /**
   * A member that leaves must know it, or be unable to serve. One that is heard and cannot be told gets no answers to its
   * heartbeats meanwhile: otherwise its lease would never end, nor this wait.
   */
  async leaves(handle: string, chunk: Chunk, member: number): Promise<Leave> {
    let isWithheld = false;
    try {
      while (!this.#servers.hasRunOut(member)) {
        const session = this.#servers.get(member)?.session;
        const prepared = await this.#prepare(handle, chunk, member, { oldVersion: chunk.version, removed: true });
        if ('reply' in prepared) return { kind: 'promised', reply: prepared.reply };
        const { error } = prepared;
        if (error.kind === 'CHUNK_NOT_FOUND') return { kind: 'absent', error, session }; // and it will make none
        if (error.kind === 'STALE_VERSION') return { kind: 'behind' }; // it refuses all below
        if (!isWithheld) this.#servers.withhold(member);
        isWithheld = true;
        const waitMs = Math.min(REMOVE_RETRY_MS, this.#servers.untilRunOutMs(member));
        await this.#context.seams.clock.sleep(waitMs);
      }
      const departure = { oldVersion: chunk.version, newVersion: chunk.pendingVersion };
      this.#departures.add(member, handle, departure);
      return { kind: 'runOut', departure };
    } finally {
      if (isWithheld) this.#servers.release(member);
    }
  }
}

const REMOVE_RETRY_MS = 1000;
