/** The folder that a master is given: its own already, or empty. */
import { type Disk, DiskError, FsError } from '@cairnfs/base';

/** In a master's folder from its first start on; what it says is checked when the ledger is opened. */
const FORMAT = 'FORMAT';
/** What a first start that was cut short leaves, the draft of a lock among it, and what file systems have at their root. */
const NOBODYS = /^(lock(\..+)?|FORMAT\.new|journal|state|lost\+found)$/;
const NAMES_SHOWN = 3;

/**
 * Makes the folder where it is missing; nothing else is changed.
 *
 * @throws FsError INVALID_ARGUMENT  it is a file, or holds files that are no master's.
 */
export async function takeFolder(disk: Disk, path: string): Promise<void> {
  await disk.makeDirectory(path).catch((error: unknown) => {
    if (!(error instanceof DiskError) || (error.code !== 'EEXIST' && error.code !== 'ENOTDIR')) throw error;
    const message = `the master's data cannot be in '${path}': a file is in the way: name a folder`;
    throw new FsError('INVALID_ARGUMENT', message, { cause: error });
  });
  const names = await disk.list(path);
  const foreign = names.includes(FORMAT) ? [] : names.filter((name) => !NOBODYS.test(name));
  if (foreign.length === 0) return;
  const shown = foreign.slice(0, NAMES_SHOWN).join(', ') + (foreign.length > NAMES_SHOWN ? ', ...' : '');
  throw new FsError(
    'INVALID_ARGUMENT',
    `the master's data cannot be in '${path}': there are files that are no master's (${shown}): name a folder that is empty or not there yet`,
  );
}
