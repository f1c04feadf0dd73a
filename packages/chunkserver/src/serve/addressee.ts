/** Calls of the master name the server they are meant for: another one may have its address by now. */
import { FsError } from '@cairnfs/base';

/**
 * @param own the number of this server; 0 before it ever registered.
 *
 * @throws FsError INVALID_ARGUMENT  the call was meant for another server: what this one holds is no answer to it.
 */
export function checkAddressee(call: string, meant: number, own: number): void {
  if (meant === own) return;
  throw new FsError('INVALID_ARGUMENT', `${call} was meant for server ${meant} and reached server ${own}`);
}
