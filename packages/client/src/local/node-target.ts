/**
 * Where a path leads that is to be written to.
 *
 * Links are followed one at a time, up to an open descriptor: `/dev/stdout` is one, by way of links. What the system tells of
 * a descriptor as of a link is the name that its file had when it was opened, and who writes to that name misses the descriptor.
 */
import { readlink, realpath } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join } from 'node:path';

export interface LocalTarget {
  /** No link itself, with no links on the way. Perhaps nothing is there: that is where a dangling link leads. */
  readonly path: string;
  /** What the path is an open descriptor of. */
  readonly descriptor: { readonly number: number; readonly isOwn: boolean } | undefined;
}

/** Linux itself follows no more. */
const LINKS_MAX = 40;
/** Of a process or one of its threads on Linux; the other systems show a process its own alone. */
const DESCRIPTOR = /^\/(?:dev|proc\/(?<pid>[0-9]+)(?:\/task\/[0-9]+)?)\/fd\/(?<number>[0-9]+)$/;

/** @throws ENOENT  the directory that it leads to is not there. @throws ELOOP */
export async function followLinks(start: string): Promise<LocalTarget> {
  let next = start;
  for (let links = 0; links <= LINKS_MAX; links += 1) {
    const path = join(await realpath(dirname(next)), basename(next));
    const descriptor = DESCRIPTOR.exec(path)?.groups;
    if (descriptor !== undefined) {
      const { pid, number } = descriptor;
      return { path, descriptor: { number: Number(number), isOwn: pid === undefined || Number(pid) === process.pid } };
    }
    const named = await readlinkOrUndefined(path);
    if (named === undefined) return { path, descriptor: undefined };
    // Not resolved by its text: before a `..` there may be a link.
    next = isAbsolute(named) ? named : `${dirname(path)}/${named}`;
  }
  throw Object.assign(new Error(`ELOOP: '${start}' leads through more than ${LINKS_MAX} links`), { code: 'ELOOP' });
}

async function readlinkOrUndefined(path: string): Promise<string | undefined> {
  return readlink(path).catch((error: NodeJS.ErrnoException) => {
    // EINVAL: it is no link. UNKNOWN is Windows for that.
    if (error.code === 'ENOENT' || error.code === 'EINVAL' || error.code === 'UNKNOWN') return undefined;
    throw error;
  });
}
