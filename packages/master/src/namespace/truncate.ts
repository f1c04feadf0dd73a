/**
 * Truncate. What is cut off must not be served to anyone who learns of the new size, so every chunk that loses bytes gets
 * a new version before the cut is logged: from then on its replicas refuse the version that readers have cached. Until the
 * record is there nothing has happened: a restart on the way leaves the file as it was, with other versions.
 */
import { FsError, isFsError } from '@cairnfs/base';
import { type CallContext, MasterMethods, TruncateReply, type TruncateRequest } from '@cairnfs/protocol';
import type { MasterContext, Views } from '../context.ts';
import { ChunkState } from '../gen/cairn/master/v1/state.ts';
import { OPEN_EXTENT_ROUNDS_MAX, TRUNCATE_EXTENTS_MAX } from '../limits.ts';
import { extentKey, operationKey } from '../state/keys.ts';
import type { FileExtent, Transaction } from '../state/transaction.ts';
import { attributesOf } from './attributes.ts';
import { discardChunk, garbageDueMs } from './destroy.ts';
import { checkFileOffset } from './file-layout.ts';
import { Gate } from './gate.ts';
import { raise } from './links.ts';
import { type OnceOptions, recall, remember } from './operations.ts';
import { type Found, resolveFile } from './resolve.ts';

type Caller = Pick<CallContext, 'signal'>;

export class TruncateCall {
  readonly #context: MasterContext;
  readonly #views: Views;
  readonly #gate: Gate<number>;
  /** By the key of the operation: an attempt that goes on would otherwise be applied after another one was refused. */
  readonly #attempts = new Gate<string>();

  constructor(context: MasterContext, views: Views, gate: Gate<number>) {
    this.#context = context;
    this.#views = views;
    this.#gate = gate;
  }

  async truncate(request: TruncateRequest, call: Caller): Promise<{ message: TruncateReply }> {
    const { calendar } = this.#context;
    checkFileOffset(request.size);
    const once: OnceOptions<TruncateReply> = {
      operation: request.operation,
      method: MasterMethods.truncate.id,
      reply: TruncateReply,
      atMs: calendar.nowMs(),
    };
    const attempt = () => this.#attempt(request, once, call);
    const { operation } = request;
    if (operation === undefined || operation.number === 0) return { message: await attempt() };
    return { message: await this.#attempts.hold(operationKey(operation.client, operation.number), attempt) };
  }

  async #attempt(
    { file, size }: TruncateRequest,
    once: OnceOptions<TruncateReply>,
    { signal }: Caller,
  ): Promise<TruncateReply> {
    const { decisions } = this.#context;
    // A retry is answered with the first result, also when the file is gone since.
    const earlier = await decisions.perform('truncate', (transaction) => recall(transaction, once));
    if (earlier !== undefined) return earlier;
    for (let round = 0; round < OPEN_EXTENT_ROUNDS_MAX; round += 1) {
      // What has begun goes on, for who asks again waits for it. Of one whose caller has gone, no file is looked up any more:
      // the path may lead to what was put there since.
      if (signal.aborted) throw new FsError('CANCELLED', 'nobody waits for this truncation any more');
      const found = decisions.find(decisions.read(), (transaction) => resolveFile(transaction, file));
      const { id } = found instanceof Promise ? await found : found;
      try {
        return await this.#gate.hold(id, () => this.#cut(id, size, once));
      } catch (error) {
        // Replaced while chunkservers were asked: the path leads to another file, or tells that there is none.
        const mayLeadOn = file !== undefined && file.path !== '' && isFsError(error, 'NOT_FOUND');
        if (!mayLeadOn) throw error;
      }
    }
    throw new FsError('UNAVAILABLE', `'${file?.path}' is being replaced all the time: try again`);
  }

  async #cut(id: number, size: number, once: OnceOptions<TruncateReply>): Promise<TruncateReply> {
    const { calendar, decisions, seams } = this.#context;
    let retired = new Set<string>();
    for (let round = 0; round < OPEN_EXTENT_ROUNDS_MAX; round += 1) {
      const now = decisions.read();
      const looked = decisions.find(now, () => resolveFile(now, { path: '', inode: id }));
      const found = looked instanceof Promise ? await looked : looked;
      const open = this.#openChunks(now, found, size);
      const losing = this.#losingExtents(now, id, size).map(({ handle }) => handle);
      if (open.length > 0) {
        await Promise.all(open.map((handle) => this.#views.close(handle, { seal: false })));
        retired = new Set();
        continue;
      }
      if (losing.some((handle) => !retired.has(handle))) {
        await this.#views.retire(losing);
        retired = new Set(losing);
        continue;
      }
      const reply = await decisions.perform('truncate', (transaction) => {
        // The world went on while the chunkservers were asked; what is decided here is decided on what is here.
        const earlier = recall(transaction, once);
        if (earlier !== undefined) return earlier;
        const current = resolveFile(transaction, { path: '', inode: id });
        const isReady =
          this.#openChunks(transaction, current, size).length === 0 &&
          this.#losingExtents(transaction, id, size).every(({ handle }) => retired.has(handle));
        if (!isReady) return undefined;
        const wallMs = seams.clock.wallMs();
        this.#cutExtents(transaction, current, size, garbageDueMs(this.#context));
        const inode = { ...current.inode, size, modifiedMs: wallMs };
        raise(inode, wallMs);
        transaction.putInode(id, inode);
        const result = { attributes: attributesOf(id, inode) };
        remember(transaction, { ...once, atMs: calendar.nowMs() }, result);
        return result;
      });
      if (reply !== undefined) return reply;
    }
    throw new FsError('UNAVAILABLE', `inode ${id} is being written all the time: try again`);
  }

  /** Open chunks that lose bytes, or whose growth would move the new end. */
  #openChunks(transaction: Transaction, { id, inode }: Found, size: number): string[] {
    const handles = new Set(this.#losingExtents(transaction, id, size).map(({ handle }) => handle));
    const tail = this.#context.layout.tail(transaction, id, inode);
    if (tail !== undefined) handles.add(tail.handle);
    // While the chunk at the new end is open, nobody here knows whether it reaches beyond it, or up to it.
    const last = this.#context.layout.lastBefore(transaction, id, size);
    if (last !== undefined) handles.add(last.handle);
    return [...handles].filter((handle) => transaction.chunk(handle)?.state === ChunkState.CHUNK_STATE_OPEN);
  }

  /** Extents that reach beyond `size`. */
  #losingExtents(transaction: Transaction, id: number, size: number): FileExtent[] {
    const before = size === 0 ? undefined : this.#context.layout.around(transaction, id, size - 1);
    const behind = transaction.extents(id, size, Number.MAX_SAFE_INTEGER, TRUNCATE_EXTENTS_MAX + 1);
    if (behind.length > TRUNCATE_EXTENTS_MAX) {
      const message = `cutting off more than ${TRUNCATE_EXTENTS_MAX} chunks at once is refused: truncate in steps, or replace the file`;
      throw new FsError('TOO_LARGE', message);
    }
    const isCut = before !== undefined && before.offset + before.length > size;
    return isCut ? [before, ...behind] : behind;
  }

  /** Takes away all that lies behind `size`. */
  #cutExtents(transaction: Transaction, { id, inode }: Found, size: number, garbageDueMs: number): void {
    for (const extent of this.#losingExtents(transaction, id, size)) {
      const chunk = transaction.chunk(extent.handle)!;
      if (extent.offset >= size) {
        transaction.remove(extentKey(id, extent.offset));
        discardChunk(transaction, extent.handle, chunk, garbageDueMs);
      } else {
        transaction.putExtent(id, { ...extent, length: size - extent.offset, limit: size });
        transaction.putChunk(extent.handle, { ...chunk, sealed: true });
      }
    }
    // An end behind that of the last chunk leaves a hole there: the chunk must not grow into it.
    const { layout } = this.#context;
    const tail = size > inode.size ? layout.tail(transaction, id, inode) : layout.lastBefore(transaction, id, size);
    if (tail !== undefined && tail.offset + tail.length < size) {
      transaction.putExtent(id, { ...tail, limit: tail.offset + tail.length });
      transaction.putChunk(tail.handle, { ...transaction.chunk(tail.handle)!, sealed: true });
    }
  }
}
