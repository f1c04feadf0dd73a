/** Extended attributes: names and values of the user's own, small enough to lie in the inode. */
import { FsError, utf8Bytes } from '@cairnfs/base';
import { XATTRS_BYTES_MAX } from '@cairnfs/protocol';
import { XATTR_NAME_BYTES_MAX } from '../limits.ts';

export type Xattrs = { [name: string]: Uint8Array };

/** @throws FsError INVALID_ARGUMENT (a name), NO_SPACE (all together are too long) */
export function checkXattrs(xattrs: Xattrs): void {
  checkIsWhole(xattrs);
  let bytes = 0;
  for (const [name, value] of Object.entries(xattrs)) {
    const nameBytes = utf8Bytes(name).length;
    if (nameBytes === 0 || nameBytes > XATTR_NAME_BYTES_MAX) {
      const message = `the name of an extended attribute has 1 to ${XATTR_NAME_BYTES_MAX} bytes, not ${nameBytes}`;
      throw new FsError('INVALID_ARGUMENT', message);
    }
    bytes += nameBytes + value.length;
  }
  if (bytes > XATTRS_BYTES_MAX) {
    const message = `extended attributes of one file take at most ${XATTRS_BYTES_MAX} bytes, not ${bytes}`;
    throw new FsError('NO_SPACE', message);
  }
}

/**
 * What is left after `removed` went and `set` came.
 *
 * @throws FsError NO_ATTRIBUTE  one to remove is not there; and as `checkXattrs`.
 */
export function changeXattrs(xattrs: Xattrs, { set, removed }: { set: Xattrs; removed: readonly string[] }): Xattrs {
  checkIsWhole(set);
  const changed = new Map(Object.entries(xattrs));
  for (const name of removed) {
    if (!changed.delete(name)) throw new FsError('NO_ATTRIBUTE', `there is no attribute '${name}'`);
  }
  for (const [name, value] of Object.entries(set)) changed.set(name, value);
  const result = Object.fromEntries(changed);
  checkXattrs(result);
  return result;
}

/** Decoding sets what has the name `__proto__` as the prototype: it is not among the attributes, and would be lost. */
function checkIsWhole(xattrs: Xattrs): void {
  if (Object.getPrototypeOf(xattrs) === Object.prototype) return;
  throw new FsError('INVALID_ARGUMENT', "an extended attribute cannot have the name '__proto__'");
}
