/** The kinds of values a configuration has, each saying what it allows. */
import { parseAddress } from '@cairnfs/base';
import { checkChunkBytes } from '@cairnfs/protocol';
import { z } from 'zod';
import { parseDuration, parseSize } from '../output/units.ts';
import { OFF } from './admin-listen.ts';

/** `host:port`. */
export const address = () => addressOr(undefined);

/** `host:port`, or a word that stands for none. */
export const addressOrOff = () => addressOr(OFF);

function addressOr(word: string | undefined) {
  const expected = word === undefined ? 'expected "host:port"' : `expected "host:port" or "${word}"`;
  return z.string({ error: expected }).superRefine((text, context) => {
    if (text === word) return;
    try {
      parseAddress(text);
    } catch (error) {
      context.addIssue({ code: 'custom', message: `${expected}: ${(error as Error).message}` });
    }
  });
}

/** Milliseconds, written `10s`, `500ms`, `3d`. */
export const duration = (limits: { minMs: number; maxMs: number; allowed: string }) =>
  z.string({ error: `expected a duration, ${limits.allowed}` }).transform((text, context) => {
    try {
      const ms = parseDuration(text);
      if (ms >= limits.minMs && ms <= limits.maxMs) return ms;
    } catch {
      // Reported below, with what is allowed.
    }
    context.addIssue({ code: 'custom', message: `expected a duration, ${limits.allowed}` });
    return z.NEVER;
  });

/** Bytes, written `64MiB`, `10GiB`, or a plain number. */
export const size = (limits: { minBytes: number; allowed: string }) =>
  z.union([z.string(), z.number()], { error: `expected a size, ${limits.allowed}` }).transform((value, context) => {
    try {
      const bytes = parseSize(String(value));
      if (bytes >= limits.minBytes) return bytes;
    } catch {
      // Reported below, with what is allowed.
    }
    context.addIssue({ code: 'custom', message: `expected a size, ${limits.allowed}` });
    return z.NEVER;
  });

/** A size that chunks may have. */
export const chunkSize = () =>
  size({ minBytes: 0, allowed: CHUNK_SIZES }).superRefine((bytes, context) => {
    try {
      checkChunkBytes(bytes);
    } catch {
      context.addIssue({ code: 'custom', message: `expected a size, ${CHUNK_SIZES}` });
    }
  });

const CHUNK_SIZES = '"128KiB" to "64MiB" in steps of 64KiB';

export const wholeNumber = (min: number, max: number) =>
  z
    .number({ error: `expected a whole number from ${min} to ${max}` })
    .int(`expected a whole number from ${min} to ${max}`)
    .min(min, `expected a whole number from ${min} to ${max}`)
    .max(max, `expected a whole number from ${min} to ${max}`);

export const text = (what: string) => z.string({ error: `expected ${what}` }).min(1, `expected ${what}`);

export const oneOf = <const Values extends readonly [string, ...string[]]>(values: Values) =>
  z.enum(values, { error: `expected one of ${values.map((value) => `"${value}"`).join(', ')}` });
