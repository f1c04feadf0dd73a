/** Check: a verdict over the files below a path, page by page, changing nothing. */

import { FsError } from '@cairnfs/base';
import type { CheckReply, CheckRequest, Problem } from '@cairnfs/protocol';
import { decodeMessage } from '@cairnfs/protocol';
import { type MasterConfig, minimumOf } from '../config.ts';
import type { Cluster, Decisions } from '../context.ts';
import { type Chunk, Dirent } from '../gen/cairn/master/v1/state.ts';
import { CHECK_CHUNKS_MAX, CHECK_FILES_DEFAULT, CHECK_FILES_MAX, CHECK_PROBLEMS_MAX } from '../limits.ts';
import { direntKey, direntRange, nameOfDirentKey, ROOT_INODE, TRASH_INODE } from '../state/keys.ts';
import type { Transaction } from '../state/transaction.ts';
import { type Found, inodeOf, resolvePath } from './resolve.ts';

/** No path contains it. */
const OFFSET_MARK = '\0';
const EXTENTS_AT_ONCE = 256;

interface Visit {
  readonly path: string;
  readonly found: Found;
}

export class CheckCall {
  readonly #decisions: Decisions;
  readonly #cluster: Cluster;
  readonly #config: MasterConfig;

  constructor(decisions: Decisions, cluster: Cluster, config: MasterConfig) {
    this.#decisions = decisions;
    this.#cluster = cluster;
    this.#config = config;
  }

  /**
   * Walks in order of path. The cursor is the path of the last object visited, and, after a NUL, how far its chunks were
   * looked at when the page ended among them. An object that is gone meanwhile is no trouble: the walk goes on behind its name.
   */
  async check({ path, cursor, limit }: CheckRequest): Promise<{ message: CheckReply }> {
    const transaction = this.#decisions.read();
    const found = this.#decisions.find(transaction, () => resolvePath(transaction, path));
    const root = found instanceof Promise ? await found : found;
    const base = path === '/' ? '' : path;
    const reply: CheckReply = {
      fileCount: 0,
      directoryCount: 0,
      chunkCount: 0,
      byteCount: 0,
      storedByteCount: 0,
      problems: [],
      nextCursor: '',
    };
    const wanted = Math.min(limit || CHECK_FILES_DEFAULT, CHECK_FILES_MAX);
    let { at, offset } =
      cursor === ''
        ? { at: { path: base === '' ? '/' : base, found: root }, offset: 0 }
        : this.#resume(transaction, cursor, { base, path });
    for (let visited = 0; at !== undefined; visited += 1) {
      if (visited === wanted || isPageFull(reply)) break;
      const stoppedAt = this.#visit(transaction, at, offset, reply);
      reply.nextCursor = stoppedAt === undefined ? at.path : `${at.path}${OFFSET_MARK}${stoppedAt}`;
      if (stoppedAt !== undefined) break;
      offset = 0;
      at = this.#after(transaction, at.path, base, at.found.inode.isDirectory);
    }
    if (at === undefined) reply.nextCursor = '';
    await this.#decisions.settled(transaction);
    return { message: reply };
  }

  #resume(
    transaction: Transaction,
    cursor: string,
    { base, path }: { base: string; path: string },
  ): { at: Visit | undefined; offset: number } {
    const [last = '', mark] = cursor.split(OFFSET_MARK);
    const isBelow = last === (base || '/') || last.startsWith(`${base}/`);
    if (!isBelow || !/^\d*$/.test(mark ?? '')) {
      throw new FsError('INVALID_ARGUMENT', `the cursor '${last}' does not come from a check of '${path}'`);
    }
    const found = find(transaction, last);
    if (mark !== undefined && found !== undefined && !found.inode.isDirectory) {
      return { at: { path: last, found }, offset: Number(mark) };
    }
    return { at: this.#after(transaction, last, base, found?.inode.isDirectory === true), offset: 0 };
  }

  /** The next object in order: the first inside a directory, the next beside it, or the next beside one above. */
  #after(transaction: Transaction, path: string, base: string, isDirectory: boolean): Visit | undefined {
    const here = path === '/' ? '' : path;
    if (isDirectory) {
      const inside = this.#first(transaction, here, '');
      if (inside !== undefined) return inside;
    }
    for (let current = here; current.length > base.length; current = current.slice(0, current.lastIndexOf('/'))) {
      const slash = current.lastIndexOf('/');
      const beside = this.#first(transaction, current.slice(0, slash), current.slice(slash + 1));
      if (beside !== undefined) return beside;
    }
    return undefined;
  }

  #first(transaction: Transaction, directory: string, afterName: string): Visit | undefined {
    const parent = find(transaction, directory);
    if (parent === undefined || !parent.inode.isDirectory) return undefined;
    const { start, end } = direntRange(parent.id);
    const from = afterName === '' ? start : `${direntKey(parent.id, afterName)}\0`;
    const entry = transaction.range({ start: from, end }, 1)[0];
    if (entry === undefined) return undefined;
    const id = decodeMessage(Dirent, entry.value).inode;
    return { path: `${directory}/${nameOfDirentKey(entry.key)}`, found: { id, inode: inodeOf(transaction, id) } };
  }

  /** @returns where in the file the page ended, when it ended there. */
  #visit(transaction: Transaction, { path, found }: Visit, from: number, reply: CheckReply): number | undefined {
    if (found.inode.isDirectory) {
      // As status counts: those that are always there are nobody's.
      if (found.id !== ROOT_INODE && found.id !== TRASH_INODE) reply.directoryCount += 1;
      return undefined;
    }
    if (from === 0) reply.fileCount += 1;
    for (let offset = from; ; ) {
      const extents = transaction.extents(found.id, offset, Number.MAX_SAFE_INTEGER, EXTENTS_AT_ONCE);
      for (const extent of extents) {
        if (isPageFull(reply)) return extent.offset;
        reply.chunkCount += 1;
        reply.byteCount += extent.length;
        const chunk = transaction.chunk(extent.handle);
        reply.storedByteCount += extent.length * (chunk?.goal ?? 0);
        this.#visitChunk(path, extent.handle, chunk, reply.problems);
        offset = extent.offset + 1;
      }
      if (extents.length < EXTENTS_AT_ONCE) return undefined;
    }
  }

  #visitChunk(path: string, handle: string, chunk: Chunk | undefined, problems: Problem[]): void {
    const report = (kind: string, message: string, serverId = 0) =>
      problems.push({ atMs: 0, kind, handle, serverId, path, message });
    if (chunk === undefined) {
      report('missing', `chunk ${handle} is not known`);
      return;
    }
    let live = 0;
    for (const member of chunk.members) {
      const condition = this.#cluster.replica(member, handle);
      if (condition === 'live') live += 1;
      else if (condition !== 'unreachable') {
        report(condition, `the copy of chunk ${handle} on server ${member} is ${condition}`, member);
      }
    }
    if (live === 0) report('unavailable', `no copy of chunk ${handle} is in reach`);
    else if (live < minimumOf(this.#config, chunk.goal))
      report('under-replicated', `chunk ${handle} has ${live} of ${chunk.goal} copies: cannot be written`);
    else if (live < chunk.goal) report('under-replicated', `chunk ${handle} has ${live} of ${chunk.goal} copies`);
  }
}

/** What the path leads to now. It may be longer than a caller's, where a deep tree was moved to a deep place. */
function find(transaction: Transaction, path: string): Found | undefined {
  let id = ROOT_INODE;
  for (const name of path.split('/').filter((part) => part !== '')) {
    const dirent = transaction.dirent(id, name);
    if (dirent === undefined) return undefined;
    id = dirent.inode;
  }
  return { id, inode: inodeOf(transaction, id) };
}

function isPageFull({ chunkCount, problems }: CheckReply): boolean {
  return chunkCount >= CHECK_CHUNKS_MAX || problems.length >= CHECK_PROBLEMS_MAX;
}
