/** Runs a server to the end of its process. */
import { endHangingProcess, type ServerSeams } from '@cairnfs/server';
import { describeServerFailure } from '../failure.ts';

/** A process with threads that a disk does not give back would neither end by itself nor exit: it ends by a signal then. */
export async function untilEnd({ disk }: Pick<ServerSeams, 'disk'>, serve: () => Promise<void>): Promise<void> {
  try {
    await serve();
  } catch (error) {
    if (!disk.isHanging) throw error;
    process.stderr.write(`cairn: ${describeServerFailure(error)}\n`);
  }
  if (disk.isHanging) endHangingProcess();
}
