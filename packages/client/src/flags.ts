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

/** Of `fs.constants` on Linux, which is what every machine of a cluster runs or is translated to. */
const O_ACCESS = 0o3;
const O_WRITE_ONLY = 0o1;
const O_READ_WRITE = 0o2;
const O_CREATE = 0o100;
const O_EXCLUSIVE = 0o200;
const O_TRUNCATE = 0o1000;
const O_APPEND = 0o2000;

/**
 * Flags as `node:fs` takes them: a word (`'r+'`; an `s` changes nothing, since every write is durable) or the sum of
 * `fs.constants.O_*`. Bits that have no meaning here are ignored, as the kernel does.
 *
 * @throws FsError INVALID_ARGUMENT  no such flags.
 */
export function parseFlags(flags: string | number): OpenFlags {
  if (typeof flags === 'number') return ofBits(flags);
  const word = flags.replace('s', '').replace(/^x([wa])/, '$1x');
  const known = word !== '' && Object.hasOwn(FLAGS, word) ? FLAGS[word] : undefined;
  if (known !== undefined) return known;
  throw new FsError('INVALID_ARGUMENT', `'${flags}' is not a flag of open: one of ${Object.keys(FLAGS).join(', ')}`);
}

function ofBits(bits: number): OpenFlags {
  const access = bits & O_ACCESS;
  if (!Number.isInteger(bits) || bits < 0 || access === O_ACCESS) {
    throw new FsError(
      'INVALID_ARGUMENT',
      `${bits} is no sum of flags of open: O_RDONLY, O_WRONLY or O_RDWR, with others`,
    );
  }
  const isSet = (flag: number) => (bits & flag) !== 0;
  const write = access === O_WRITE_ONLY || access === O_READ_WRITE;
  return {
    read: access !== O_WRITE_ONLY,
    write,
    append: write && isSet(O_APPEND),
    create: isSet(O_CREATE),
    exclusive: isSet(O_CREATE) && isSet(O_EXCLUSIVE),
    truncate: write && isSet(O_TRUNCATE),
  };
}
