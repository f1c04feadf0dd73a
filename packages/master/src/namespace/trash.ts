/**
 * The trash: a directory `/.trash` that listings of the root do not show. What is deleted moves there under a name that
 * sorts by time of deletion; a rename brings it back, and the master destroys it when it has been kept long enough.
 */
import { utf8Bytes } from '@cairnfs/base';
import { NAME_BYTES_MAX } from '@cairnfs/protocol';
import { TRASH_INODE } from '../state/keys.ts';
import type { Transaction } from '../state/transaction.ts';
import { link, raise, unlink } from './links.ts';
import { type Found, inodeOf, TRASH_NAME } from './resolve.ts';

/** @returns the path from which it can be restored. */
export function moveToTrash(
  transaction: Transaction,
  found: Found,
  path: string,
  { wallMs, deletedMs }: { readonly wallMs: number; readonly deletedMs: number },
): string {
  const name = trashName(found.id, found.inode.name, deletedMs);
  unlink(transaction, found, wallMs);
  found.inode.deletedFrom = path;
  raise(found.inode, wallMs);
  const parent = { id: TRASH_INODE, inode: inodeOf(transaction, TRASH_INODE) };
  link(transaction, { parent, name, path: `/${TRASH_NAME}/${name}` }, found, wallMs);
  return `/${TRASH_NAME}/${name}`;
}

/** `20261120T170300123Z.42.notes.txt`, cut to the longest name allowed between two characters. */
function trashName(id: number, name: string, deletedMs: number): string {
  const prefix = `${compactTime(deletedMs)}.${id}.`;
  let kept = name;
  while (utf8Bytes(prefix + kept).length > NAME_BYTES_MAX) kept = [...kept].slice(0, -1).join('');
  return prefix + kept;
}

/** Names of entries deleted before `deletedMs` sort below this. */
export function trashNameBefore(deletedMs: number): string {
  return compactTime(deletedMs);
}

/** `20261120T170300123Z`: UTC, so that names sort by time until the year 9999. */
function compactTime(epochMs: number): string {
  const ms = Math.max(0, Math.floor(epochMs));
  const { year, month, day } = civilDate(Math.floor(ms / DAY_MS));
  const digits = (value: number, width: number) => String(value).padStart(width, '0');
  const time = ms % DAY_MS;
  const hours = digits(Math.floor(time / 3_600_000), 2);
  const minutes = digits(Math.floor(time / 60_000) % 60, 2);
  const seconds = digits(Math.floor(time / 1000) % 60, 2);
  return `${digits(year, 4)}${digits(month, 2)}${digits(day, 2)}T${hours}${minutes}${seconds}${digits(time % 1000, 3)}Z`;
}

/**
 * The Gregorian date of a day counted from 1970-01-01. Years are counted from March, so that the leap day is the last of
 * its year and months have lengths that repeat; an era is the 400 years after which the calendar repeats.
 */
function civilDate(day: number): { year: number; month: number; day: number } {
  const shifted = day + DAYS_TO_EPOCH;
  const era = Math.floor(shifted / ERA_DAYS);
  const dayOfEra = shifted - era * ERA_DAYS;
  const leapDays = Math.floor(dayOfEra / 1460) - Math.floor(dayOfEra / 36_524) + Math.floor(dayOfEra / 146_096);
  const yearOfEra = Math.floor((dayOfEra - leapDays) / 365);
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const fromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9;
  const year = era * 400 + yearOfEra + (month <= 2 ? 1 : 0);
  return { year, month, day: dayOfYear - Math.floor((153 * fromMarch + 2) / 5) + 1 };
}

const DAY_MS = 86_400_000;
const ERA_DAYS = 146_097;
/** From 0000-03-01 to 1970-01-01. */
const DAYS_TO_EPOCH = 719_468;
