/** A directory with everything in it, copied within the cluster. */
import { toError } from '@cairnfs/base';
import type { CairnClient, FailedTransfer } from '@cairnfs/client/node';
import { joinRemote } from '../paths.ts';

export type CopyClient = Pick<CairnClient, 'mkdir' | 'opendir' | 'copyFile' | 'stat'>;

/**
 * What fails below `source` does not keep the rest from being copied.
 *
 * @throws  what fails for `source` itself, and what would for all that follows.
 */
export async function copyTree(
  client: CopyClient,
  source: string,
  target: string,
  signal: AbortSignal,
): Promise<FailedTransfer[]> {
  const { concernsAll } = await import('@cairnfs/client/node');
  const failed: FailedTransfer[] = [];
  const attempt = async (path: string, work: () => Promise<void>) => {
    try {
      await work();
    } catch (thrown) {
      signal.throwIfAborted();
      if (await concernsAll(client, thrown, { signal })) throw thrown;
      const error = toError(thrown);
      failed.push({ path, reason: error.message, error });
    }
  };
  const copyDirectory = async (directory: string, to: string): Promise<void> => {
    await client.mkdir(to, { recursive: true, signal });
    for await (const entry of client.opendir(directory, { signal })) {
      signal.throwIfAborted();
      const path = joinRemote(directory, entry.name);
      const copy = joinRemote(to, entry.name);
      await attempt(path, () =>
        entry.isDirectory() ? copyDirectory(path, copy) : client.copyFile(path, copy, { signal }),
      );
    }
  };
  await copyDirectory(source, target);
  return failed;
}
