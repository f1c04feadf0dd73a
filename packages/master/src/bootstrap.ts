/** The first record of a new cluster, and the first of every run. */
import { bytesToKey, FsError, KiB, keyToBytes, keyToText, MiB, randomUuid, type Seams, textToKey } from '@cairnfs/base';
import { CHUNK_BYTES_MAX, checkChunkBytes } from '@cairnfs/protocol';
import type { Decisions } from './context.ts';
import { newInode } from './namespace/attributes.ts';
import { TRASH_NAME } from './namespace/resolve.ts';
import { FIRST_INODE, META, ROOT_INODE, TRASH_INODE } from './state/keys.ts';

export interface Incarnation {
  readonly clusterId: string;
  /** Counts the runs of this cluster's master. */
  readonly incarnation: number;
}

/**
 * Makes root and trash when the state is empty, and counts this run. Durable when it resolves.
 *
 * @param chunkBytes what the master was told: fixed in a new cluster, compared in one that exists.
 * @throws FsError INVALID_ARGUMENT  no chunk may have that size. @throws FsError CLUSTER_MISMATCH  the cluster has another.
 */
export async function beginIncarnation(
  decisions: Decisions,
  seams: Pick<Seams, 'clock' | 'random' | 'log'>,
  chunkBytes: number,
): Promise<Incarnation> {
  checkChunkBytes(chunkBytes);
  const wallMs = seams.clock.wallMs();
  return decisions.perform('beginIncarnation', (transaction) => {
    const known = transaction.get(META.clusterId);
    if (known === undefined) {
      if (transaction.inode(ROOT_INODE) !== undefined) {
        throw new FsError('DAMAGED', 'the state has a root directory but no cluster id: restore it from a backup');
      }
      const directory = { isDirectory: true, mode: 0o755, owner: '', group: '', replication: 0, wallMs };
      transaction.putInode(ROOT_INODE, { ...newInode(directory), entryCount: 1 });
      transaction.putInode(TRASH_INODE, {
        ...newInode({ ...directory, mode: 0o700 }),
        parent: ROOT_INODE,
        name: TRASH_NAME,
      });
      transaction.putDirent(ROOT_INODE, TRASH_NAME, { inode: TRASH_INODE, isDirectory: true });
      transaction.setCounter(META.nextInode, FIRST_INODE);
      transaction.setCounter(META.nextServer, 1);
      transaction.put(META.clusterId, keyToBytes(textToKey(randomUuid(seams.random))));
      transaction.setCounter(META.chunkBytes, chunkBytes);
    } else {
      checkSameChunkBytes(transaction.counter(META.chunkBytes) || CHUNK_BYTES_MAX, chunkBytes);
    }
    const incarnation = transaction.counter(META.session) + 1;
    transaction.setCounter(META.session, incarnation);
    return { clusterId: keyToText(bytesToKey(transaction.get(META.clusterId)!)), incarnation };
  });
}

/** Files are laid out in chunks of one size: another would find other chunks at the same offsets. */
function checkSameChunkBytes(actual: number, told: number): void {
  if (actual === told) return;
  throw new FsError(
    'CLUSTER_MISMATCH',
    `a cluster keeps its chunk size: start the master with chunk_size = "${configured(actual)}", not "${configured(told)}"`,
    { details: { expected: actual, actual: told } },
  );
}

/** As a configuration names it: chunk sizes are steps of 64 KiB. */
function configured(chunkBytes: number): string {
  return chunkBytes % MiB === 0 ? `${chunkBytes / MiB}MiB` : `${chunkBytes / KiB}KiB`;
}
