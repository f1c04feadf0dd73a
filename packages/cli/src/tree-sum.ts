/**
 * What lies at and below a path, added up. It counts as `status` and `fsck` do: the directory that is named and those
 * below it, and in "/" also what is in the trash, for that takes space; "/" and "/.trash" themselves, which are always
 * there, do not count.
 */
import type { CairnClient } from '@cairnfs/client';
import { counted } from './output/units.ts';
import { TRASH, withoutSlash } from './paths.ts';
import { statsAlone, type WalkClient, walk } from './walk.ts';

/** For the help of each command that counts. */
export const WHAT_COUNTS = `Files and directories are counted alike by status, du and fsck: the directory that is named and those below it, and in
"/" also what is in the trash; "/" and "/.trash" themselves do not count.`;

const ROOT = '/';

export interface TreeSum {
  files: number;
  directories: number;
  /** Of the files, as long as they are, with their holes. */
  sizeBytes: number;
  /** What chunks hold of them, in all the copies that there are to be. Of a chunk that is being written, what the master knows. */
  storedBytes: number;
}

export function countedTree({ files, directories }: Pick<TreeSum, 'files' | 'directories'>): string {
  return `${counted(files, 'file')}, ${counted(directories, 'directory', 'directories')}`;
}

export type SumClient = WalkClient & Pick<CairnClient, 'check'>;

export async function sumTree(client: SumClient, path: string, signal: AbortSignal): Promise<TreeSum> {
  const sum = { files: 0, directories: 0, sizeBytes: 0, storedBytes: 0 };
  // A listing of the root leaves the trash out.
  for (const start of path === ROOT ? [ROOT, TRASH] : [path]) {
    for await (const { path: at, isDirectory, stats } of walk(client, start, signal)) {
      if (!isDirectory) {
        const file = stats ?? (await statsAlone(client, at, signal));
        if (file === undefined) continue;
        sum.files += 1;
        sum.sizeBytes += file.size;
      } else if (![ROOT, TRASH].includes(withoutSlash(at))) {
        sum.directories += 1;
      }
    }
  }
  for await (const page of client.check(path, { signal })) sum.storedBytes += page.storedByteCount;
  return sum;
}
