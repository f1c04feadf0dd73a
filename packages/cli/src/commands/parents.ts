/** The directory above what a command makes: when it is missing, it is named, and not what could not be made in it. */
import { isFsError } from '@cairnfs/base';
import type { Stats } from '@cairnfs/client';
import type { CairnClient } from '@cairnfs/client/node';
import type { CommandContext } from '../command.ts';
import { parentOf } from '../paths.ts';

/** `OR_ADD_P` for commands that make missing directories when asked. */
export const OR_ADD_P = ', or add -p';

/** Does what makes `target`. */
export async function making<Result>(
  context: CommandContext,
  client: CairnClient,
  target: string,
  work: () => Promise<Result>,
  advice = '',
): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (isFsError(error, 'NOT_FOUND')) await checkParent(context, client, target, advice);
    throw error;
  }
}

/** @throws  when the directory above `target` is not there. */
export async function checkParent(
  context: CommandContext,
  client: CairnClient,
  target: string,
  advice = '',
): Promise<void> {
  const parent = parentOf(target);
  if (await isDirectory(context, client, parent)) return;
  throw new Error(`ENOENT: there is no directory '${parent}': make it with "cairn mkdir -p ${parent}"${advice}`);
}

export async function isDirectory(context: CommandContext, client: CairnClient, path: string): Promise<boolean> {
  return (await statOrNothing(context, client, path))?.isDirectory() === true;
}

export async function statOrNothing(
  context: CommandContext,
  client: CairnClient,
  path: string,
): Promise<Stats | undefined> {
  try {
    return await client.stat(path, { signal: context.signal });
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return undefined;
    throw error;
  }
}
