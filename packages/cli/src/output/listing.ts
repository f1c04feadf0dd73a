/** How files look in listings: the columns of `ls -l`, and the same facts for programs. */
import type { Stats } from '@cairnfs/client';
import { formatSize } from './units.ts';

/** What stands in the place of an `x` where a bit beyond the permissions is set: in capitals without the permission. */
const SPECIAL_BITS = [
  { bit: 0o4000, place: 3, letter: 's' },
  { bit: 0o2000, place: 6, letter: 's' },
  { bit: 0o1000, place: 9, letter: 't' },
] as const;

/** As `ls -l` shows it. */
export function formatMode(stats: Pick<Stats, 'mode' | 'isDirectory'>): string {
  const letters = [stats.isDirectory() ? 'd' : '-'];
  for (const [index, letter] of [...'rwxrwxrwx'].entries())
    letters.push((stats.mode >> (8 - index)) & 1 ? letter : '-');
  for (const { bit, place, letter } of SPECIAL_BITS) {
    if (stats.mode & bit) letters[place] = letters[place] === 'x' ? letter : letter.toUpperCase();
  }
  return letters.join('');
}

/** `2026-11-20 17:03:59 +01:00`, local time and how far it is from UTC. */
export function formatExactTime(ms: number): string {
  const two = (value: number) => String(value).padStart(2, '0');
  const at = new Date(ms);
  const aheadMinutes = -at.getTimezoneOffset();
  const ahead = Math.abs(aheadMinutes);
  const zone = `${aheadMinutes < 0 ? '-' : '+'}${two(Math.floor(ahead / 60))}:${two(ahead % 60)}`;
  return `${formatTime(ms)}:${two(at.getSeconds())} ${zone}`;
}

/** `2026-11-20 17:03`, local time. */
export function formatTime(ms: number): string {
  const at = new Date(ms);
  const two = (value: number) => String(value).padStart(2, '0');
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}`;
}

/** Control characters would move the cursor or lie about the name: shown escaped on a terminal. */
export function printableName(name: string): string {
  return name.replace(/\p{Control}/gu, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

export function longRow(name: string, stats: Stats): string[] {
  return [
    formatMode(stats),
    stats.isDirectory() ? '-' : String(stats.replication),
    stats.owner === '' ? '-' : stats.owner,
    stats.group === '' ? '-' : stats.group,
    stats.isDirectory() ? '-' : formatSize(stats.size),
    formatTime(stats.mtimeMs),
    printableName(name) + (stats.isDirectory() ? '/' : '') + origin(stats),
  ];
}

/** Of a file that a listing could not tell anything of. */
export function unknownRow(name: string): string[] {
  return ['-?????????', '?', '?', '?', '?', '?', printableName(name)];
}

/** Entries of the trash keep only their last name. */
function origin({ deletedFrom }: Stats): string {
  return deletedFrom === '' ? '' : `  (was ${printableName(deletedFrom)})`;
}

export const LONG_COLUMNS = [
  { title: 'mode' },
  { title: 'copies', align: 'right' },
  { title: 'owner' },
  { title: 'group' },
  { title: 'size', align: 'right' },
  { title: 'modified' },
  { title: 'name' },
] as const;

export function statsJson(path: string, stats: Stats): Record<string, unknown> {
  return {
    path,
    type: stats.isDirectory() ? 'directory' : 'file',
    size: stats.size,
    mode: stats.mode,
    owner: stats.owner,
    group: stats.group,
    replication: stats.replication,
    modifiedMs: stats.mtimeMs,
    accessedMs: stats.atimeMs,
    createdMs: stats.birthtimeMs,
    inode: stats.ino,
    generation: stats.generation,
    ...(stats.deletedFrom !== '' && { deletedFrom: stats.deletedFrom }),
  };
}

/** As `unknownRow`. */
export function unknownJson(path: string): Record<string, unknown> {
  return { path, type: 'file' };
}
