/**
 * Where a file's bytes are, as the master last said. Only extents that hold data are remembered: a hole may be filled and
 * an end may move without any replica refusing, so those are asked for anew each time.
 */
import { type Extent, type FileRef, MasterMethods } from '@cairnfs/protocol';
import type { Deadline } from '../call/deadline.ts';
import type { MasterCalls } from '../call/master-calls.ts';
import { ofOpened } from '../errors.ts';
import { EXTENTS_PER_LOCATE } from '../limits.ts';

/** A run of bytes of the file: in a chunk, or (without extent) a hole. */
export interface Segment {
  readonly offset: number;
  readonly length: number;
  readonly extent: Extent | undefined;
}

export interface Layout {
  /** In order, without gaps, from the offset asked for; short when the file ends before. */
  readonly segments: readonly Segment[];
  /** The file's size, when the layout is fresh; of a file being written it may be more when all of the range lies below it. */
  readonly size: number | undefined;
}

/** One file, once its path was looked up: what takes the path later is another, so the two are never mixed. */
export class LocatedFile {
  inode = 0;
  readonly #calls: MasterCalls;
  readonly #ref: FileRef;
  /** Closed extents in order of offset. */
  #extents: Extent[] = [];

  constructor(calls: MasterCalls, ref: FileRef) {
    this.#calls = calls;
    this.#ref = ref;
    this.inode = ref.inode;
  }

  /** What is remembered turned out to be old. */
  forget(): void {
    this.#extents = [];
  }

  /** How the range is laid out; `isFresh` forbids to use what is remembered. */
  async layout(offset: number, length: number, deadline: Deadline, isFresh = false): Promise<Layout> {
    const cached = isFresh ? undefined : this.#fromCache(offset, length);
    return cached ?? this.#locate(offset, length, deadline);
  }

  #fromCache(offset: number, length: number): Layout | undefined {
    const segments: Segment[] = [];
    let at = offset;
    for (let index = this.#indexAt(offset); at < offset + length; index += 1) {
      const extent = this.#extents[index];
      if (extent === undefined || extent.offset > at || extent.offset + extent.length <= at) return undefined;
      const end = Math.min(extent.offset + extent.length, offset + length);
      segments.push({ offset: at, length: end - at, extent });
      at = end;
    }
    return { segments, size: undefined };
  }

  async #locate(offset: number, length: number, deadline: Deadline): Promise<Layout> {
    const extents: Extent[] = [];
    let size = 0;
    for (let from = offset; ; ) {
      const request = {
        file: this.inode === 0 ? this.#ref : { path: '', inode: this.inode },
        offset: from,
        length: offset + length - from,
        limit: EXTENTS_PER_LOCATE,
      };
      const locate = () => this.#calls.call(MasterMethods.locate, request, deadline);
      const reply = await (this.inode === 0 ? locate() : ofOpened(locate));
      this.inode = reply.inode;
      size = reply.size;
      extents.push(...reply.extents);
      const last = reply.extents.at(-1);
      if (!reply.more || last === undefined || last.limit <= from) break;
      from = last.limit;
    }
    this.#remember(extents);
    return { segments: lay(extents, offset, Math.min(offset + length, size)), size };
  }

  #remember(extents: readonly Extent[]): void {
    const offsets = new Set(extents.map(({ offset }) => offset));
    const kept = this.#extents.filter(({ offset }) => !offsets.has(offset));
    const closed = extents.filter(({ chunk, length }) => chunk?.open === false && length > 0);
    this.#extents = [...kept, ...closed].sort((a, b) => a.offset - b.offset);
  }

  /** Index of the last extent that begins at or before `offset`, or 0. */
  #indexAt(offset: number): number {
    let low = 0;
    let high = this.#extents.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#extents[middle]!.offset <= offset) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }
}

/** Cuts [offset, end) into runs of chunks and holes. */
function lay(extents: readonly Extent[], offset: number, end: number): Segment[] {
  const segments: Segment[] = [];
  let at = offset;
  for (const extent of extents) {
    // Of an open chunk only the primary knows the end: the replica answers how far it goes, the rest is a hole.
    const dataEnd = Math.min(extent.chunk?.open ? extent.limit : extent.offset + extent.length, end);
    const start = Math.max(at, extent.offset);
    if (dataEnd <= start) continue;
    if (start > at) segments.push({ offset: at, length: start - at, extent: undefined });
    segments.push({ offset: start, length: dataEnd - start, extent });
    at = dataEnd;
  }
  if (at < end) segments.push({ offset: at, length: end - at, extent: undefined });
  return segments;
}
