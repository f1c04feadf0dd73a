/** Check: a verdict over the files below a path, page by page, changing nothing. */
import { FsError } from '@cairnfs/base';
import type { CheckReply, CheckRequest, Problem } from '@cairnfs/protocol';
import { type MasterConfig, minimumOf } from '../config.ts';
import type { Cluster, Decisions } from '../context.ts';
import { Dirent } from '../gen/cairn/master/v1/state.ts';
import { CHECK_FILES_DEFAULT, CHECK_FILES_MAX } from '../limits.ts';
import { direntKey, direntRange, nameOfDirentKey } from '../state/keys.ts';
import type { Transaction } from '../state/transaction.ts';
import { type Found, findPath, inodeOf, resolvePath } from './resolve.ts';

/** A terabyte of file: its rest is checked no further in one page. */
const EXTENTS_CHECKED_MAX = 16_384;

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
   * Walks in order of path. The cursor is the path of the last object visited; one that is gone meanwhile is no trouble,
   * since the walk goes on behind its name.
   */
  async check({ path, cursor, limit }: CheckRequest): Promise<{ message: CheckReply }> {
    const transaction = this.#decisions.read();
    const root = resolvePath(transaction, path);
    const base = path === '/' ? '' : path;
    if (cursor !== '' && !cursor.startsWith(`${base}/`)) {
      throw new FsError('INVALID_ARGUMENT', `the cursor '${cursor}' does not lie below '${path}'`);
    }
    const reply: CheckReply = {
      fileCount: 0,
      directoryCount: 0,
      chunkCount: 0,
      byteCount: 0,
      problems: [],
      nextCursor: '',
    };
    const wanted = Math.min(limit || CHECK_FILES_DEFAULT, CHECK_FILES_MAX);
    let at: { path: string; found: Found } | undefined =
      cursor === '' ? { path: base === '' ? '/' : base, found: root } : this.#after(transaction, cursor, base, false);
    for (let visited = 0; at !== undefined; visited += 1) {
      if (visited === wanted) break;
      this.#visit(transaction, at, reply);
      reply.nextCursor = at.path;
      at = this.#after(transaction, at.path, base, at.found.inode.isDirectory);
    }
    if (at === undefined) reply.nextCursor = '';
    await this.#decisions.settled(transaction);
    return { message: reply };
  }

  /** The next object in order: the first inside a directory, the next beside it, or the next beside one above. */
  #after(
    transaction: Transaction,
    path: string,
    base: string,
    isDirectory: boolean,
  ): { path: string; found: Found } | undefined {
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

  #first(transaction: Transaction, directory: string, afterName: string): { path: string; found: Found } | undefined {
    const parent = findPath(transaction, directory === '' ? '/' : directory);
    if (parent === undefined || !parent.inode.isDirectory) return undefined;
    const { start, end } = direntRange(parent.id);
    const from = afterName === '' ? start : `${direntKey(parent.id, afterName)}\0`;
    const entry = transaction.range({ start: from, end }, 1)[0];
    if (entry === undefined) return undefined;
    const id = Dirent.decode(entry.value).inode;
    return { path: `${directory}/${nameOfDirentKey(entry.key)}`, found: { id, inode: inodeOf(transaction, id) } };
  }

  #visit(transaction: Transaction, { path, found }: { path: string; found: Found }, reply: CheckReply): void {
    if (found.inode.isDirectory) {
      reply.directoryCount += 1;
      return;
    }
    reply.fileCount += 1;
    for (const { handle, length } of transaction.extents(found.id, 0, Number.MAX_SAFE_INTEGER, EXTENTS_CHECKED_MAX)) {
      reply.chunkCount += 1;
      reply.byteCount += length;
      this.#visitChunk(transaction, path, handle, reply.problems);
    }
  }

  #visitChunk(transaction: Transaction, path: string, handle: string, problems: Problem[]): void {
    const report = (kind: string, message: string, serverId = 0) =>
      problems.push({ atMs: 0, kind, handle, serverId, path, message });
    const chunk = transaction.chunk(handle);
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
