/**
 * Names and paths as every server and the SDK accept them. A path is absolute, in one canonical form only: it starts
 * with '/', has no empty, '.' or '..' component, and no '/' at its end (except the root, '/'). One file has one path.
 */
import { FsError } from '@cairnfs/base';
import { quote } from './ids.ts';
import { NAME_BYTES_MAX, PATH_BYTES_MAX } from './limits.ts';

/**
 * Splits an absolute path into its components; the root has none.
 *
 * @throws FsError INVALID_ARGUMENT  not absolute, not canonical, or with a character no name may have.
 * @throws FsError NAME_TOO_LONG  over `PATH_BYTES_MAX` UTF-8 bytes, or a component over `NAME_BYTES_MAX`.
 */
export function checkPath(path: string): string[] {
  if (path.charCodeAt(0) !== SLASH) {
    throw new FsError('INVALID_ARGUMENT', `path ${quote(path)} is not absolute: it must start with '/'`);
  }
  if (exceedsBytes(path, PATH_BYTES_MAX)) {
    throw new FsError('NAME_TOO_LONG', `path ${quote(path)} is longer than ${PATH_BYTES_MAX} bytes`);
  }
  if (path.length === 1) return [];
  const names = path.slice(1).split('/');
  for (const name of names) {
    if (name === '') {
      throw new FsError('INVALID_ARGUMENT', `path ${quote(path)} has an empty component: remove the extra '/'`);
    }
    checkName(name);
  }
  return names;
}

/**
 * Returns `name` when it can name a directory entry: 1 to 255 UTF-8 bytes of well-formed Unicode, without '/' and NUL,
 * neither '.' nor '..'.
 *
 * @throws FsError INVALID_ARGUMENT, NAME_TOO_LONG
 */
export function checkName(name: string): string {
  if (name === '') throw new FsError('INVALID_ARGUMENT', 'a name must not be empty');
  if (name === '.' || name === '..') {
    throw new FsError('INVALID_ARGUMENT', `'${name}' is not a name: paths here are absolute and have one form only`);
  }
  if (exceedsBytes(name, NAME_BYTES_MAX)) {
    throw new FsError('NAME_TOO_LONG', `name ${quote(name)} is longer than ${NAME_BYTES_MAX} bytes`);
  }
  if (name.includes('/') || name.includes('\0')) {
    throw new FsError('INVALID_ARGUMENT', `name ${quote(name)} contains '/' or NUL`);
  }
  if (LONE_SURROGATE.test(name)) {
    throw new FsError('INVALID_ARGUMENT', `name ${quote(name)} is not well-formed Unicode`);
  }
  return name;
}

const SLASH = 0x2f;
// With the `u` flag a surrogate pair is one character, so this finds only halves without their partner.
const LONE_SURROGATE = /\p{Surrogate}/u;

/** A UTF-16 unit takes 1 to 3 bytes in UTF-8, so most texts are settled without counting. */
function exceedsBytes(text: string, bytesMax: number): boolean {
  if (text.length > bytesMax) return true;
  return text.length * 3 > bytesMax && Buffer.byteLength(text, 'utf8') > bytesMax;
}
