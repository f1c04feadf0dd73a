/**
 * A walk through a tree, parents before what they hold, in order of name. It keeps a bounded number of entries, however
 * many a directory has and however deep the tree goes: where more would be kept, those of the directories farthest up are
 * forgotten and fetched again when the walk comes back to them.
 */
import { isFsError } from '@cairnfs/base';
import type { CairnClient, ListPage, Stats } from '@cairnfs/client';
import { joinRemote } from './paths.ts';

/** One page of a listing: enough to amortise the call, small enough that the first rows come at once. */
export const PAGE_ENTRIES = 1000;

/** Some 20 MB with their attributes. */
const ENTRIES_KEPT_MAX = 20_000;

export interface Visited {
  readonly path: string;
  readonly isDirectory: boolean;
  /** Not of a file when nobody could tell in time how long it is: `statsAlone`. */
  readonly stats: Stats | undefined;
}

export type WalkClient = Pick<CairnClient, 'list' | 'stat'>;

/** A directory that the walk is in. */
interface Level {
  readonly path: string;
  entries: ListPage['entries'];
  next: number;
  /** Behind `entries`; undefined when nothing follows. */
  cursor: string | undefined;
}

/** Everything from `path` down. What is removed while the walk goes on may be left out. */
export async function* walk(
  client: WalkClient,
  path: string,
  signal: AbortSignal,
  { pageEntries = PAGE_ENTRIES, entriesKeptMax = ENTRIES_KEPT_MAX } = {},
): AsyncGenerator<Visited> {
  const stats = await client.stat(path, { signal });
  yield { path, isDirectory: stats.isDirectory(), stats };
  const levels: Level[] = stats.isDirectory() ? [levelOf(path)] : [];
  for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
    if (level.next === level.entries.length) {
      if (level.cursor === undefined) levels.pop();
      else await fill(client, level, { pageEntries, isStart: levels.length === 1, signal });
      continue;
    }
    const entry = level.entries[level.next]!;
    level.next += 1;
    const entryPath = joinRemote(level.path, entry.name);
    yield { path: entryPath, isDirectory: entry.isDirectory(), stats: entry.stats };
    if (!entry.isDirectory()) continue;
    levels.push(levelOf(entryPath));
    forgetFarthest(levels, entriesKeptMax);
  }
}

/** What a listing could not tell of a file, waited for. @returns undefined when the file was removed meanwhile. */
export async function statsAlone(client: WalkClient, path: string, signal: AbortSignal): Promise<Stats | undefined> {
  try {
    return await client.stat(path, { signal });
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

function isGone(error: unknown): boolean {
  return isFsError(error, 'NOT_FOUND', 'NOT_A_DIRECTORY');
}

function levelOf(path: string): Level {
  return { path, entries: [], next: 0, cursor: '' };
}

async function fill(
  client: WalkClient,
  level: Level,
  { pageEntries, isStart, signal }: { pageEntries: number; isStart: boolean; signal: AbortSignal },
): Promise<void> {
  try {
    const options = { cursor: level.cursor!, limit: pageEntries, withAttributes: true, signal };
    const page = await client.list(level.path, options);
    level.entries = page.entries;
    level.cursor = page.nextCursor === '' ? undefined : page.nextCursor;
  } catch (error) {
    // A directory below the start was there when it was listed: it was removed or moved meanwhile.
    if (isStart || !isGone(error)) throw error;
    level.entries = [];
    level.cursor = undefined;
  }
  level.next = 0;
}

/** Makes the levels keep at most so many entries; the last, which has none yet, is where the walk goes on. */
function forgetFarthest(levels: readonly Level[], keptMax: number): void {
  let kept = 0;
  for (const { entries, next } of levels) kept += entries.length - next;
  for (const level of levels) {
    if (kept <= keptMax) return;
    const left = level.entries.length - level.next;
    if (left === 0) continue;
    kept -= left;
    level.cursor = level.entries[level.next - 1]!.name;
    level.entries = [];
    level.next = 0;
  }
}
