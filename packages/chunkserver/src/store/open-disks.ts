/** Opens the folders of a server's disks, all or none. */
import { FsError } from '@cairnfs/base';
import { DiskStore, type StoreSeams } from './disk-store.ts';
import { readIdentity } from './identity.ts';

/** @throws FsError DAMAGED, INVALID_ARGUMENT. @throws DiskError EBUSY */
export async function openDisks(seams: StoreSeams, directories: readonly string[]): Promise<DiskStore[]> {
  if (directories.length === 0 || new Set(directories).size < directories.length) {
    throw new FsError('INVALID_ARGUMENT', 'a chunkserver needs at least one folder for a disk, each named once');
  }
  // A folder that is new takes the identity of the others.
  let serverUuid: string | undefined;
  for (const directory of directories) serverUuid ??= (await readIdentity(seams.disk, directory))?.serverUuid;
  const stores: DiskStore[] = [];
  try {
    for (const directory of directories) {
      const store = await DiskStore.open(seams, directory, serverUuid);
      serverUuid ??= store.identity.serverUuid;
      stores.push(store);
    }
    return stores;
  } catch (error) {
    for (const store of stores) await store.close();
    throw error;
  }
}
