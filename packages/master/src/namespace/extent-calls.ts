/** OpenExtent and Truncate: the calls that wait for chunkservers between their decisions. */
import { FsError } from '@cairnfs/base';
import type { OpenExtentReply, OpenExtentRequest, TruncateReply, TruncateRequest } from '@cairnfs/protocol';
import { minimumOf } from '../config.ts';
import type { MasterContext, MasterParts } from '../context.ts';
import { ChunkState, type Inode } from '../gen/cairn/master/v1/state.ts';
import { OPEN_EXTENT_ROUNDS_MAX, TRUNCATE_EXTENTS_MAX } from '../limits.ts';
import { extentKey } from '../state/keys.ts';
import type { FileExtent, Transaction } from '../state/transaction.ts';
import { attributesOf } from './attributes.ts';
import { discardChunk } from './destroy.ts';
import { allocateExtent, extentAround, startOfNewExtent, tailExtent } from './extents.ts';
import { raise } from './links.ts';
import { toExtent } from './locate.ts';
import { type Found, resolveRef } from './resolve.ts';

/** What a round of OpenExtent found: the extent, or a chunk that must be settled before it can go on. */
type Round =
  | { readonly kind: 'fresh'; readonly extent: FileExtent }
  | { readonly kind: 'existing'; readonly extent: FileExtent; readonly isFinal: boolean }
  | { readonly kind: 'seal'; readonly handle: string };

export class ExtentCalls {
  readonly #context: MasterContext;
  readonly #parts: MasterParts;

  constructor(context: MasterContext, parts: MasterParts) {
    this.#context = context;
    this.#parts = parts;
  }

  /**
   * The extent for a write or an append, its chunk open and led by a live primary. Each round decides on the state as it
   * is; what it must wait for may change the state, so it decides again afterwards.
   */
  async openExtent(request: OpenExtentRequest): Promise<{ message: OpenExtentReply }> {
    const { decisions } = this.#context;
    const { views, cluster } = this.#parts;
    if (request.fullHandle !== '') await this.#sealIfTail(request.inode, request.fullHandle);
    for (let round = 0; round < OPEN_EXTENT_ROUNDS_MAX; round += 1) {
      const next = await decisions.perform('openExtent', (transaction) => this.#decide(transaction, request));
      if (next.kind === 'seal') {
        await views.close(next.handle, { seal: true });
        continue;
      }
      const { handle, offset } = next.extent;
      if (next.kind === 'existing' && !next.isFinal) await views.open(handle, request.suspectedServers);
      const transaction = decisions.read();
      const extent = transaction.extentAt(request.inode, offset);
      const chunk = transaction.chunk(handle);
      const isReady =
        chunk?.state === ChunkState.CHUNK_STATE_OPEN ||
        (next.kind === 'existing' && next.isFinal && chunk !== undefined);
      if (extent?.handle === handle && isReady && chunk.pendingVersion === 0) {
        const message = { extent: toExtent(transaction, cluster, extent) };
        await decisions.settled(transaction);
        return { message };
      }
    }
    throw new FsError('UNAVAILABLE', `inode ${request.inode} is being changed by others all the time: try again`);
  }

  #decide(transaction: Transaction, { inode: id, at }: OpenExtentRequest): Round {
    const found = this.#file(transaction, id);
    if (at?.$case === 'handle') return this.#byHandle(transaction, found, at.value);
    if (at?.$case === 'append') return this.#atEnd(transaction, found);
    if (at?.$case === 'offset') return this.#atOffset(transaction, found, at.value);
    throw new FsError('INVALID_ARGUMENT', 'OpenExtent needs an offset, append or a handle');
  }

  #byHandle(transaction: Transaction, { id }: Found, handle: string): Round {
    const chunk = transaction.chunk(handle);
    const extent = chunk?.inode === id ? transaction.extentAt(id, chunk.fileOffset) : undefined;
    if (chunk === undefined || extent?.handle !== handle) {
      throw new FsError(
        'CHUNK_NOT_FOUND',
        `chunk ${handle} is no part of inode ${id} any more: it was cut off or replaced`,
      );
    }
    // A sealed, closed chunk takes no new append, and its operation table is complete: any member can answer.
    return { kind: 'existing', extent, isFinal: chunk.sealed && chunk.state === ChunkState.CHUNK_STATE_CLOSED };
  }

  #atEnd(transaction: Transaction, found: Found): Round {
    const tail = tailExtent(transaction, found.id, found.inode);
    const chunk = tail === undefined ? undefined : transaction.chunk(tail.handle);
    if (tail !== undefined && chunk !== undefined && !chunk.sealed) {
      if (chunk.state === ChunkState.CHUNK_STATE_OPEN) return { kind: 'existing', extent: tail, isFinal: false };
      const isWhole = chunk.length === tail.length && tail.offset + tail.length === found.inode.size;
      if (isWhole && tail.limit > found.inode.size) {
        const inode = { ...found.inode, openTail: tail.handle };
        if (found.inode.openTail !== tail.handle) transaction.putInode(found.id, inode);
        return { kind: 'existing', extent: tail, isFinal: false };
      }
    }
    return this.#allocate(transaction, found, found.inode.size);
  }

  #atOffset(transaction: Transaction, found: Found, offset: number): Round {
    const around = extentAround(transaction, found.id, offset);
    if (around !== undefined) {
      const tail = tailExtent(transaction, found.id, found.inode);
      if (tail?.offset === around.offset && found.inode.openTail !== around.handle) {
        transaction.putInode(found.id, { ...found.inode, openTail: around.handle });
      }
      return { kind: 'existing', extent: around, isFinal: false };
    }
    // What lies behind the present end moves it: the chunk that was the last one may grow no more.
    const tail = tailExtent(transaction, found.id, found.inode);
    if (tail !== undefined && tail.offset < offset && transaction.chunk(tail.handle)?.sealed === false) {
      return { kind: 'seal', handle: tail.handle };
    }
    return this.#allocate(transaction, found, startOfNewExtent(transaction, found.id, offset));
  }

  #allocate(transaction: Transaction, { id, inode }: Found, offset: number): Round {
    const { placement } = this.#parts;
    const { seams, config } = this.#context;
    const minimum = minimumOf(config, inode.replication);
    const [members] = placement.place({ count: 1, replicas: inode.replication, minimum, avoid: new Set() });
    allocateExtent(transaction, seams.random, { id, inode, offset, members: members! });
    return { kind: 'fresh', extent: transaction.extentAt(id, offset)! };
  }

  /** The client met a full chunk: it is sealed unless someone did so already. */
  async #sealIfTail(inode: number, handle: string): Promise<void> {
    const chunk = this.#context.decisions.read().chunk(handle);
    if (chunk === undefined || chunk.inode !== inode || chunk.sealed) return;
    await this.#parts.views.close(handle, { seal: true });
  }

  async truncate(request: TruncateRequest): Promise<{ message: TruncateReply }> {
    const { decisions, seams, config } = this.#context;
    const { views } = this.#parts;
    const id = resolveRef(decisions.read(), request.file).id;
    for (let round = 0; round < OPEN_EXTENT_ROUNDS_MAX; round += 1) {
      const open = this.#openBehind(decisions.read(), id, request.size);
      if (open.length > 0) {
        await Promise.all(open.map((handle) => views.close(handle, { seal: false })));
        continue;
      }
      const cut = await decisions.perform('truncate', (transaction) => {
        if (this.#openBehind(transaction, id, request.size).length > 0) return undefined;
        const found = this.#file(transaction, id);
        const wallMs = seams.clock.wallMs();
        const handles = cutExtents(transaction, found, request.size, wallMs + config.garbageGraceMs);
        const inode: Inode = { ...found.inode, size: request.size, modifiedMs: wallMs };
        raise(inode, wallMs);
        transaction.putInode(id, inode);
        return { handles, attributes: attributesOf(id, inode) };
      });
      if (cut === undefined) continue;
      // Nobody may be served what was cut off once this is answered.
      await views.retire(cut.handles);
      return { message: { attributes: cut.attributes } };
    }
    throw new FsError('UNAVAILABLE', `inode ${id} is being written all the time: try again`);
  }

  /** Open chunks that a truncation to `size` touches, or whose growth would move the new end. */
  #openBehind(transaction: Transaction, id: number, size: number): string[] {
    const { inode } = this.#file(transaction, id);
    const affected = extentsBehind(transaction, id, size);
    const tail = tailExtent(transaction, id, inode);
    if (tail !== undefined && !affected.some(({ offset }) => offset === tail.offset)) affected.push(tail);
    return affected
      .map(({ handle }) => handle)
      .filter((handle) => transaction.chunk(handle)?.state === ChunkState.CHUNK_STATE_OPEN);
  }

  #file(transaction: Transaction, id: number): Found {
    const found = resolveRef(transaction, { path: '', inode: id });
    if (found.inode.isDirectory) throw new FsError('IS_A_DIRECTORY', `inode ${id} is a directory`);
    return found;
  }
}

/** Takes away all that lies behind `size`; answers the chunks whose old copies must not be served any more. */
function cutExtents(transaction: Transaction, { id, inode }: Found, size: number, garbageDueMs: number): string[] {
  const handles: string[] = [];
  for (const extent of extentsBehind(transaction, id, size)) {
    const chunk = transaction.chunk(extent.handle)!;
    handles.push(extent.handle);
    if (extent.offset >= size) {
      transaction.remove(extentKey(id, extent.offset));
      discardChunk(transaction, extent.handle, chunk, garbageDueMs);
    } else {
      transaction.putExtent(id, { ...extent, length: size - extent.offset, limit: size });
      transaction.putChunk(extent.handle, { ...chunk, sealed: true });
    }
  }
  // An end that moves away leaves a hole behind the last chunk: that must not grow into it.
  const tail = size > inode.size ? tailExtent(transaction, id, inode) : undefined;
  if (tail !== undefined) {
    transaction.putExtent(id, { ...tail, limit: tail.offset + tail.length });
    transaction.putChunk(tail.handle, { ...transaction.chunk(tail.handle)!, sealed: true });
  }
  return handles;
}

function extentsBehind(transaction: Transaction, id: number, size: number): FileExtent[] {
  const before = extentAround(transaction, id, size);
  const behind = transaction.extents(id, size, Number.MAX_SAFE_INTEGER, TRUNCATE_EXTENTS_MAX + 1);
  if (behind.length > TRUNCATE_EXTENTS_MAX) {
    const message = `cutting off more than ${TRUNCATE_EXTENTS_MAX} chunks at once is refused: truncate in steps, or replace the file`;
    throw new FsError('TOO_LARGE', message);
  }
  const isCut = before !== undefined && before.offset < size && before.offset + before.length > size;
  return isCut ? [before, ...behind] : behind;
}
