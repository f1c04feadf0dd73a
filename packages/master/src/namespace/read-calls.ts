/** Stat and List: what is there. Sizes of files being written are asked of their primaries. */
import { FsError } from '@cairnfs/base';
import {
  type Attributes,
  type DirectoryEntry,
  FileType,
  type ListReply,
  type ListRequest,
  type StatReply,
  type StatRequest,
} from '@cairnfs/protocol';
import type { Decisions, Views } from '../context.ts';
import { ChunkState, Dirent, type Inode } from '../gen/cairn/master/v1/state.ts';
import { LIST_ENTRIES_DEFAULT, LIST_ENTRIES_MAX } from '../limits.ts';
import { direntKey, direntRange, nameOfDirentKey, ROOT_INODE } from '../state/keys.ts';
import type { FileExtent, Transaction } from '../state/transaction.ts';
import { attributesOf } from './attributes.ts';
import { type Found, inodeOf, resolveRef, TRASH_NAME } from './resolve.ts';

export class ReadCalls {
  readonly #decisions: Decisions;
  readonly #views: Views;

  constructor(decisions: Decisions, views: Views) {
    this.#decisions = decisions;
    this.#views = views;
  }

  stat({ file }: StatRequest): { message: StatReply } | Promise<{ message: StatReply }> {
    const transaction = this.#decisions.read();
    const found = resolveRef(transaction, file);
    const open = openExtentOf(transaction, found);
    if (open !== undefined) return this.#statOpen(found, open, transaction);
    const answer = { message: { attributes: attributesOf(found.id, found.inode) } };
    const settled = this.#decisions.settled(transaction);
    return settled === undefined ? answer : settled.then(() => answer);
  }

  async list(request: ListRequest): Promise<{ message: ListReply }> {
    const transaction = this.#decisions.read();
    const { id, inode } = resolveRef(transaction, request.directory);
    if (!inode.isDirectory)
      throw new FsError('NOT_A_DIRECTORY', `'${request.directory?.path}' is a file, not a directory`);
    const limit = Math.min(request.limit || LIST_ENTRIES_DEFAULT, LIST_ENTRIES_MAX);
    const { found, nextCursor } = page(transaction, id, request, limit);
    const entries = found.map(({ name, dirent }): DirectoryEntry => {
      const type = dirent.isDirectory ? FileType.FILE_TYPE_DIRECTORY : FileType.FILE_TYPE_FILE;
      return { name, inode: dirent.inode, type, attributes: undefined };
    });
    const pending: Promise<void>[] = [];
    if (request.withAttributes) {
      for (const entry of entries) {
        const child = { id: entry.inode, inode: inodeOf(transaction, entry.inode) };
        const open = openExtentOf(transaction, child);
        entry.attributes = attributesOf(child.id, child.inode);
        if (open !== undefined) pending.push(this.#fillSize(entry.attributes, child.inode, open));
      }
    }
    await this.#decisions.settled(transaction);
    await Promise.all(pending);
    return { message: { entries, nextCursor } };
  }

  async #statOpen(found: Found, open: FileExtent, transaction: Transaction): Promise<{ message: StatReply }> {
    const attributes = attributesOf(found.id, found.inode);
    await this.#decisions.settled(transaction);
    await this.#fillSize(attributes, found.inode, open);
    return { message: { attributes } };
  }

  async #fillSize(attributes: Attributes, inode: Inode, open: FileExtent): Promise<void> {
    attributes.size = Math.max(inode.size, open.offset + (await this.#views.length(open.handle)));
  }
}

/** The last extent of a file, when its chunk is open: the master does not know its length. */
export function openExtentOf(transaction: Transaction, { id, inode }: Found): FileExtent | undefined {
  if (inode.isDirectory || inode.openTail === '') return undefined;
  const chunk = transaction.chunk(inode.openTail);
  if (chunk?.state !== ChunkState.CHUNK_STATE_OPEN || chunk.inode !== id) return undefined;
  return transaction.extentAt(id, chunk.fileOffset);
}

function page(transaction: Transaction, directory: number, { prefix, cursor }: ListRequest, limit: number) {
  const all = direntRange(directory);
  const first = cursor > prefix ? `${direntKey(directory, cursor)}\0` : direntKey(directory, prefix);
  const end = prefix === '' ? all.end : `${direntKey(directory, prefix)}\xff`;
  // One more than asked tells whether a page follows; another for the trash, which the root does not show.
  const entries = transaction.range({ start: first, end }, limit + 2);
  const found = entries
    .map(({ key, value }) => ({ name: nameOfDirentKey(key), dirent: Dirent.decode(value) }))
    .filter(({ name }) => !(directory === ROOT_INODE && name === TRASH_NAME));
  const isMore = found.length > limit;
  if (isMore) found.length = limit;
  return { found, nextCursor: isMore ? found.at(-1)!.name : '' };
}
