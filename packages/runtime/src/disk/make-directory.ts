/** A directory with what is missing above it. */
import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * As `mkdir` of `node:fs` with `recursive`, but it always ends: on a file system in which no directory can be made
 * (/proc, for one) the kernel says ENOENT although the parent is there, and Node then tries for ever.
 *
 * @param mode permission bits of what is made.
 * @throws what `mkdir` failed with; EEXIST: the name is not a directory's.
 */
export async function makeDirectory(path: string, mode?: number): Promise<void> {
  try {
    await mkdir(path, { mode });
  } catch (error) {
    const parent = dirname(path);
    const isParentMissing = (error as NodeJS.ErrnoException).code === 'ENOENT' && parent !== path;
    if (isParentMissing) {
      await makeDirectory(parent, mode);
      await mkdir(path, { mode }).catch((again: unknown) => acceptDirectory(path, again));
    } else {
      await acceptDirectory(path, error);
    }
  }
}

/** Somebody else may have made it; the root says EEXIST, a read-only file system EROFS also of what is there. */
async function acceptDirectory(path: string, error: unknown): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory() !== true) throw error;
}
