/** How files look in listings: the columns of `ls -l`, and the same facts for programs. */
import type { Stats } from '@cairnfs/client';
import { formatSize } from './units.ts';

export function formatMode(stats: Stats): string {
  const bits = 'rwxrwxrwx';
  let text = stats.isDirectory() ? 'd' : '-';
  for (let index = 0; index < bits.length; index += 1) text += (stats.mode >> (8 - index)) & 1 ? bits[index] : '-';
  return text;
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
    printableName(name) + (stats.isDirectory() ? '/' : ''),
  ];
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
  };
}
