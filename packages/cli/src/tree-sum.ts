/**
 * What lies at and below a path, added up. It counts as `status` and `fsck` do: the directory that is named and those
 * below it, and in "/" also what is in the trash, for that takes space; "/" and "/.trash" themselves, which are always
 * there, do not count.
 */
import { counted } from './output/units.ts';
import { TRASH, withoutSlash } from './paths.ts';
import { type WalkClient, walk } from './walk.ts';

/** For the help of each command that counts. */
export const WHAT_COUNTS = `Files and directories are counted alike by status, du and fsck: the directory that is named and those below it, and in
"/" also what is in the trash; "/" and "/.trash" themselves do not count.`;

const ROOT = '/';

export interface TreeSum {
  files: number;
  directories: number;
  /** Of the files, as long as they are. */
  bytes: number;
  /** In all the copies that the files are to have. */
  storedBytes: number;
}

export function countedTree({ files, directories }: Pick<TreeSum, 'files' | 'directories'>): string {
  return `${counted(files, 'file')}, ${counted(directories, 'directory', 'directories')}`;
}

export async function sumTree(client: WalkClient, path: string, signal: AbortSignal): Promise<TreeSum> {
  const sum = { files: 0, directories: 0, bytes: 0, storedBytes: 0 };
  // A listing of the root leaves the trash out.
  for (const start of path === ROOT ? [ROOT, TRASH] : [path]) {
    for await (const { path: at, stats } of walk(client, start, signal)) {
      if (!stats.isDirectory()) {
        sum.files += 1;
        sum.bytes += stats.size;
        sum.storedBytes += stats.size * stats.replication;
      } else if (![ROOT, TRASH].includes(withoutSlash(at))) {
        sum.directories += 1;
      }
    }
  }
  return sum;
}
