/** Sizes and times as people write and read them. Binary units, as the chunk size itself is one. */
import { FsError } from '@cairnfs/base';

const SIZE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;
const SIZE_FACTORS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 1024,
  kib: 1024,
  kb: 1000,
  m: 1024 ** 2,
  mib: 1024 ** 2,
  mb: 1000 ** 2,
  g: 1024 ** 3,
  gib: 1024 ** 3,
  gb: 1000 ** 3,
  t: 1024 ** 4,
  tib: 1024 ** 4,
  tb: 1000 ** 4,
  p: 1024 ** 5,
  pib: 1024 ** 5,
  pb: 1000 ** 5,
};
/** For errors and help. */
export const SIZES =
  'a number with B, KiB, MiB, GiB, TiB or PiB; k, m, g, t and p mean the same, and kB, MB, GB, TB, PB powers of 1000';
const DURATION_FACTORS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** `64MiB`, `1.5g`, `4096` → bytes. */
export function parseSize(text: string): number {
  const match = /^\s*([0-9]+(?:\.[0-9]+)?)\s*([a-z]*)\s*$/i.exec(text);
  const factor = match === null ? undefined : SIZE_FACTORS[match[2]!.toLowerCase()];
  if (!match || factor === undefined) {
    throw new FsError('INVALID_ARGUMENT', `'${text}' is not a size: write ${SIZES}`);
  }
  const bytes = Math.round(Number(match[1]) * factor);
  if (!Number.isSafeInteger(bytes)) throw new FsError('INVALID_ARGUMENT', `'${text}' is too large a size`);
  return bytes;
}

/** `500ms`, `10s`, `3d` → milliseconds. */
export function parseDuration(text: string): number {
  const match = /^\s*([0-9]+(?:\.[0-9]+)?)\s*([a-z]+)\s*$/i.exec(text);
  const factor = match === null ? undefined : DURATION_FACTORS_MS[match[2]!.toLowerCase()];
  if (!match || factor === undefined) {
    throw new FsError('INVALID_ARGUMENT', `'${text}' is not a duration: write a number with ms, s, m, h or d`);
  }
  return Math.round(Number(match[1]) * factor);
}

/** `1 file`, `2 files`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** 1536 → `1.5 KiB`. */
export function formatSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < SIZE_UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1;
  return `${value.toFixed(digits)} ${SIZE_UNITS[unit]}`;
}

/** 25 → `25 bytes`, 1536 → `1.5 KiB (1536 bytes)`. */
export function exactSize(bytes: number): string {
  const exact = counted(bytes, 'byte');
  return bytes < 1024 ? exact : `${formatSize(bytes)} (${exact})`;
}

/** 95_000 → `1m35s`; two units at most. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)}ms`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m${seconds % 60 === 0 ? '' : `${seconds % 60}s`}`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours}h${minutes % 60 === 0 ? '' : `${minutes % 60}m`}`;
  return `${Math.floor(hours / 24)}d${hours % 24 === 0 ? '' : `${hours % 24}h`}`;
}
