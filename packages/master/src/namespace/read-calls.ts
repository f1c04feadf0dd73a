/** Stat and List: what is there. Sizes of files being written are asked of their primaries. */
import { type Clock, FsError, isFsError } from '@cairnfs/base';
import {
  type Attributes,
  type DirectoryEntry,
  decodeMessage,
  type FileRef,
  FileType,
  type ListReply,
  type ListRequest,
  type StatReply,
  type StatRequest,
} from '@cairnfs/protocol';
import type { Decisions, Views } from '../context.ts';
import { ChunkState, Dirent, type Inode } from '../gen/cairn/master/v1/state.ts';
import {
  LENGTHS_ASKED_AT_ONCE,
  LENGTHS_WAIT_MS,
  LIST_BYTES_MAX,
  LIST_ENTRIES_DEFAULT,
  LIST_ENTRIES_MAX,
  SIZE_ROUNDS_MAX,
} from '../limits.ts';
import { timesAfter } from '../state/close-chunk.ts';
import { direntKey, direntRange, nameOfDirentKey, ROOT_INODE } from '../state/keys.ts';
import type { FileExtent, Transaction } from '../state/transaction.ts';
import { within } from '../within.ts';
import { attributesOf } from './attributes.ts';
import { type Found, inodeInPassing, inodeOf, resolveRef, TRASH_NAME } from './resolve.ts';

export class ReadCalls {
  readonly #clock: Clock;
  readonly #decisions: Decisions;
  readonly #views: Views;

  constructor(clock: Clock, decisions: Decisions, views: Views) {
    this.#clock = clock;
    this.#decisions = decisions;
    this.#views = views;
  }

  stat({ file }: StatRequest): { message: StatReply } | Promise<{ message: StatReply }> {
    const transaction = this.#decisions.read();
    const found = this.#decisions.find(transaction, () => resolveRef(transaction, file));
    if (found instanceof Promise) return found;
    const open = openExtentOf(transaction, found);
    if (open !== undefined) return this.#statOpen(file);
    const answer = { message: { attributes: attributesOf(found.id, found.inode) } };
    const settled = this.#decisions.settled(transaction);
    return settled === undefined ? answer : settled.then(() => answer);
  }

  async list(request: ListRequest): Promise<{ message: ListReply }> {
    const transaction = this.#decisions.read();
    const found = this.#decisions.find(transaction, () => resolveDirectory(transaction, request.directory));
    const { id } = found instanceof Promise ? await found : found;
    const limit = Math.min(request.limit || LIST_ENTRIES_DEFAULT, LIST_ENTRIES_MAX);
    const { entries, nextCursor } = page(transaction, id, request, limit);
    const open: DirectoryEntry[] = [];
    let bytes = 0;
    if (request.withAttributes) {
      for (const [index, entry] of entries.entries()) {
        const child = { id: entry.inode, inode: inodeInPassing(transaction, entry.inode) };
        const attributes = attributesOf(child.id, child.inode);
        bytes += sizeOf(entry.name, attributes);
        if (bytes > LIST_BYTES_MAX && index > 0) {
          entries.length = index;
          break;
        }
        entry.attributes = attributes;
        if (openExtentOf(transaction, child) !== undefined) open.push(entry);
      }
    }
    await this.#decisions.settled(transaction);
    const gone = open.length === 0 ? undefined : await this.#fillOpen(id, open);
    const isCut = bytes > LIST_BYTES_MAX;
    const message = { entries, nextCursor: isCut ? entries.at(-1)!.name : nextCursor };
    if (gone !== undefined) message.entries = entries.filter((entry) => !gone.has(entry));
    return { message };
  }

  /**
   * Fills in what their primaries tell of files being written; answers those that are gone. Where nobody tells it in time the
   * attributes are left out: one such file keeps nobody from reading the page, and Stat says of it what is wrong.
   */
  async #fillOpen(directory: number, entries: readonly DirectoryEntry[]): Promise<Set<DirectoryEntry>> {
    const told = new Map<DirectoryEntry, Attributes | undefined>();
    const queue = [...entries];
    const worker = async () => {
      for (let entry = queue.pop(); entry !== undefined; entry = queue.pop()) {
        try {
          told.set(entry, await this.#settledChild(directory, entry));
        } catch (error) {
          if (!isFsError(error)) throw error;
        }
      }
    };
    const workers = Array.from({ length: Math.min(LENGTHS_ASKED_AT_ONCE, queue.length) }, worker);
    await within(this.#clock, LENGTHS_WAIT_MS, Promise.all(workers));
    queue.length = 0;
    const gone = new Set<DirectoryEntry>();
    for (const entry of entries) {
      const now = told.get(entry);
      if (now !== undefined) Object.assign(entry, { inode: now.inode, type: now.type, attributes: now });
      else if (told.has(entry)) gone.add(entry);
      else entry.attributes = undefined;
    }
    return gone;
  }

  async #statOpen(file: FileRef | undefined): Promise<{ message: StatReply }> {
    const attributes = await this.#settledAttributes((transaction) => resolveRef(transaction, file));
    return { message: { attributes } };
  }

  /**
   * Of what the entry named when the page was made, also when that has another name by now: otherwise a page could show
   * neither. Of what has its name when it is gone.
   *
   * @returns undefined when the directory has no such entry any more either.
   */
  #settledChild(directory: number, { inode: id, name }: DirectoryEntry): Promise<Attributes | undefined> {
    return this.#settledAttributes((transaction) => {
      const inode = transaction.inode(id);
      if (inode !== undefined) return { id, inode };
      const dirent = transaction.dirent(directory, name);
      return dirent === undefined ? undefined : { id: dirent.inode, inode: inodeOf(transaction, dirent.inode) };
    });
  }

  /**
   * With the size that the primary tells. A file that was replaced while its length was asked is looked up again: what is
   * logged of the one before says nothing of how long it was.
   */
  async #settledAttributes(find: (transaction: Transaction) => Found | undefined): Promise<Attributes | undefined> {
    for (let round = 0; round < SIZE_ROUNDS_MAX; round += 1) {
      const transaction = this.#decisions.read();
      const looked = this.#decisions.find(transaction, find);
      const found = looked instanceof Promise ? await looked : looked;
      const open = found === undefined ? undefined : openExtentOf(transaction, found);
      await this.#decisions.settled(transaction);
      if (found === undefined) return undefined;
      const attributes = attributesOf(found.id, found.inode);
      if (open === undefined || (await this.#fillSize(attributes, found.inode, open))) return attributes;
    }
    throw new FsError('UNAVAILABLE', 'the file is being replaced all the time: try again');
  }

  /** @returns whether the file still had the chunk when its length was told. */
  async #fillSize(attributes: Attributes, inode: Inode, open: FileExtent): Promise<boolean> {
    const end = await this.#views.end(open.handle);
    if (end === undefined) return false;
    attributes.size = sizeWith(inode.size, open, end.length);
    if (end.changedMs !== undefined)
      Object.assign(attributes, timesAfter(inode, Math.min(end.changedMs, this.#clock.wallMs())));
    return true;
  }
}

function resolveDirectory(transaction: Transaction, directory: FileRef | undefined): Found {
  const found = resolveRef(transaction, directory);
  if (found.inode.isDirectory) return found;
  throw new FsError('NOT_A_DIRECTORY', `'${directory?.path || found.id}' is a file, not a directory`);
}

/** The last extent of a file, when its chunk is open: the master does not know its length. */
export function openExtentOf(transaction: Transaction, { id, inode }: Found): FileExtent | undefined {
  if (inode.isDirectory || inode.openTail === '') return undefined;
  const chunk = transaction.chunk(inode.openTail);
  if (chunk?.state !== ChunkState.CHUNK_STATE_OPEN || chunk.inode !== id) return undefined;
  return transaction.extentAt(id, chunk.fileOffset);
}

/** How much of its chunk's bytes an extent shows: a truncate leaves the chunk longer than the extent. */
export function keptOf({ offset, limit }: FileExtent, chunkLength: number): number {
  return Math.min(chunkLength, limit - offset);
}

/** The size of a file whose last chunk is open and so long: one without bytes behind the end does not move it. */
export function sizeWith(known: number, open: FileExtent, chunkLength: number): number {
  return chunkLength === 0 ? known : Math.max(known, open.offset + keptOf(open, chunkLength));
}

/** Names sort by their UTF-8 bytes, which is not the order of JavaScript's strings: keys are compared, not names. */
function page(transaction: Transaction, directory: number, { prefix, cursor }: ListRequest, limit: number) {
  const afterCursor = `${direntKey(directory, cursor)}\0`;
  const fromPrefix = direntKey(directory, prefix);
  const start = cursor !== '' && afterCursor > fromPrefix ? afterCursor : fromPrefix;
  const end = prefix === '' ? direntRange(directory).end : `${fromPrefix}\xff`;
  // One more than asked tells whether a page follows; another for the trash, which the root does not show.
  const entries = transaction
    .range({ start, end }, limit + 2)
    .map(({ key, value }): DirectoryEntry => {
      const { inode, isDirectory } = decodeMessage(Dirent, value);
      const type = isDirectory ? FileType.FILE_TYPE_DIRECTORY : FileType.FILE_TYPE_FILE;
      return { name: nameOfDirentKey(key), inode, type, attributes: undefined };
    })
    .filter(({ name }) => !(directory === ROOT_INODE && name === TRASH_NAME));
  const isMore = entries.length > limit;
  if (isMore) entries.length = limit;
  return { entries, nextCursor: isMore ? entries.at(-1)!.name : '' };
}

/** What an entry takes in the answer, or somewhat more. */
function sizeOf(name: string, { owner, group, deletedFrom, xattrs }: Attributes): number {
  let bytes = ENTRY_NUMBERS_BYTES;
  bytes += (name.length + owner.length + group.length + deletedFrom.length) * UTF8_BYTES_PER_UNIT_MAX;
  for (const key in xattrs) bytes += key.length * UTF8_BYTES_PER_UNIT_MAX + xattrs[key]!.length;
  return bytes;
}

/** Numbers, tags and lengths of one entry. */
const ENTRY_NUMBERS_BYTES = 150;
/** UTF-8 bytes for one UTF-16 unit, at most; to encode every name only to count would take as long as finding it. */
const UTF8_BYTES_PER_UNIT_MAX = 3;
