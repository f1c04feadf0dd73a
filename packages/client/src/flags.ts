/** The flags of `open`, as in `node:fs`. */
import { FsError } from '@cairnfs/base';

export interface OpenFlags {
  readonly read: boolean;
  readonly write: boolean;
  readonly append: boolean;
  /** Make the file when it is missing. */
  readonly create: boolean;
  /** Fail when it is there. */
  readonly exclusive: boolean;
  readonly truncate: boolean;
}

const NONE = { read: false, write: true, append: false, create: true, exclusive: false, truncate: false };

const FLAGS: Readonly<Record<string, OpenFlags>> = {
  r: { ...NONE, read: true, write: false, create: false },
  'r+': { ...NONE, read: true, create: false },
  w: { ...NONE, truncate: true },
  wx: { ...NONE, exclusive: true },
  'w+': { ...NONE, read: true, truncate: true },
  'wx+': { ...NONE, read: true, exclusive: true },
  a: { ...NONE, append: true },
  ax: { ...NONE, append: true, exclusive: true },
  'a+': { ...NONE, read: true, append: true },
  'ax+': { ...NONE, read: true, append: true, exclusive: true },
};

export function parseFlags(flags: string): OpenFlags {
  const known = Object.hasOwn(FLAGS, flags) ? FLAGS[flags] : undefined;
  if (known !== undefined) return known;
  throw new FsError('INVALID_ARGUMENT', `'${flags}' is not a flag of open: one of ${Object.keys(FLAGS).join(', ')}`);
}
