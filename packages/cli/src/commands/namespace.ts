/** `mkdir`, `rm`, `mv`, `cp`, `touch`, `truncate`: changes of the namespace and of single files. */
import { isFsError } from '@cairnfs/base';
import type { CairnClient, FailedTransfer } from '@cairnfs/client/node';
import type { Command } from 'commander';
import { action, type CommandContext, type GlobalOptions, userCommand } from '../command.ts';
import { describeFailure, UsageError } from '../failure.ts';
import { printableName } from '../output/listing.ts';
import { SIZES } from '../output/units.ts';
import {
  baseName,
  isInside,
  joinRemote,
  namedSources,
  type RemoteSource,
  refuseSameTarget,
  remotePath,
  remoteSource,
  TRASH,
  WHERE_TREES_GO,
  withoutSlash,
} from '../paths.ts';
import { copyTree } from './copy-tree.ts';
import { leftOutJson } from './left-out.ts';
import { sizeArgument } from './options.ts';
import { checkParent, isDirectory as isRemoteDirectory, making, OR_ADD_P, statOrNothing } from './parents.ts';

export function mkdirCommand(): Command {
  return userCommand('mkdir', ['cairn mkdir /films', 'cairn mkdir -p /films/2026/may'])
    .argument('<paths...>', 'directories to make')
    .option('-p, --parents', 'make missing parents too; fine when the directory exists')
    .action(
      action<[string[]], GlobalOptions & { parents?: boolean }>(async (context, options, paths) => {
        const client = await context.client();
        await context.forEach(paths.map(remotePath), async (path) => {
          const recursive = options.parents === true;
          const mkdir = () => client.mkdir(path, { recursive, signal: context.signal });
          await making(context, client, path, mkdir, OR_ADD_P);
          if (context.json) await context.printJson({ path });
        });
      }),
    );
}

export function rmCommand(): Command {
  return userCommand('rm', [
    'cairn rm /films/old.mkv',
    'cairn rm -r /photos',
    'cairn ls -l /.trash                   what can be restored, and where it was',
    'cairn mv /.trash/NAME /PATH           gets it back; NAME is what "cairn rm" printed',
    'cairn rm --skip-trash /huge           delete for good; the space is free some time later (garbage_grace, quarantine_grace)',
    'cairn rm -r /.trash/NAME              what is in the trash goes for good too',
  ])
    .argument('<paths...>', 'what to delete')
    .option('-r, --recursive', 'directories with everything in them')
    .option('-f, --force', 'no error when a path does not exist')
    .option('--skip-trash', 'for good')
    .action(
      action<[string[]], GlobalOptions & { recursive?: boolean; force?: boolean; skipTrash?: boolean }>(
        async (context, options, texts) => {
          const paths = texts.map(remotePath);
          if (paths.some((path) => withoutSlash(path) === TRASH)) {
            throw new UsageError(`'${TRASH}' itself stays: "cairn rm -r ${TRASH}/NAME" deletes what is in it for good`);
          }
          const client = await context.client();
          await context.forEach(paths, async (path) => {
            if (options.recursive !== true) await refuseDirectory(context, client, path);
            const { trashPath } = await client.rm(path, {
              recursive: options.recursive === true,
              force: options.force === true,
              skipTrash: options.skipTrash === true,
              signal: context.signal,
            });
            if (context.json) await context.printJson({ path, trashPath });
            else if (trashPath !== '')
              await context.write(`${printableName(path)} is now ${printableName(trashPath)}\n`);
          });
        },
      ),
    );
}

/** Also an empty one: a directory is not deleted by mistake. What is not there is told by what deletes. */
async function refuseDirectory(context: CommandContext, client: CairnClient, path: string): Promise<void> {
  if (!(await isRemoteDirectory(context, client, path))) return;
  throw new Error(`EISDIR: '${path}' is a directory: add -r to delete it with what it contains`);
}

export function mvCommand(): Command {
  return userCommand('mv', [
    'cairn mv /draft.txt /final.txt',
    'cairn mv /a /b /archive/              several into a directory',
    'cairn mv /.trash/20261120T170300000Z.42.notes /notes',
  ])
    .argument('<paths...>', 'SRC... and, last, DST')
    .action(
      action<[string[]], GlobalOptions>(async (context, _options, paths) => {
        const client = await context.client();
        const asNamed = (text: string) => ({ path: remotePath(text), isContents: false });
        const { sources, targetOf } = await sourcesAndTarget('mv', context, client, paths, asNamed);
        await context.forEach(sources, async (moved) => {
          const { path: source } = moved;
          const target = targetOf(moved);
          if (target === withoutSlash(source)) throw new Error(`EINVAL: '${source}' and '${target}' are the same file`);
          await making(context, client, target, () => client.rename(source, target, { signal: context.signal }));
          if (context.json) await context.printJson({ from: source, to: target });
        });
      }),
    );
}

export function cpCommand(): Command {
  return userCommand('cp', [
    'cairn cp /a.txt /b.txt',
    'cairn cp -r /photos /backup/',
    'cairn cp -r /photos/. /album          what is in /photos into /album',
  ])
    .argument('<paths...>', 'SRC... and, last, DST')
    .option('-r, --recursive', 'directories with everything in them')
    .addHelpText('after', WHERE_TREES_GO)
    .action(
      action<[string[]], GlobalOptions & { recursive?: boolean }>(async (context, options, paths) => {
        const client = await context.client();
        const { sources, targetOf } = await sourcesAndTarget('cp', context, client, paths, remoteSource);
        await context.forEach(sources, async (copied) => {
          const { path: source } = copied;
          const target = targetOf(copied);
          const stats = await client.stat(source, { signal: context.signal });
          let failed: readonly FailedTransfer[] = [];
          if (target === withoutSlash(source)) throw new Error(`EINVAL: '${source}' and '${target}' are the same file`);
          if (!stats.isDirectory()) {
            await making(context, client, target, () => client.copyFile(source, target, { signal: context.signal }));
          } else if (options.recursive !== true) {
            throw new Error(`EISDIR: '${source}' is a directory: add -r to copy it with everything in it`);
          } else if (isInside(target, source)) {
            throw new Error(`EINVAL: '${target}' is inside '${source}': a directory cannot be copied into itself`);
          } else {
            await checkParent(context, client, target);
            failed = await copyTree(client, source, target, context.signal);
          }
          for (const { path, error } of failed)
            context.fail(new Error(`cannot copy '${path}': ${describeFailure(error)}`));
          if (context.json) await context.printJson({ from: source, to: target, ...leftOutJson({ failed }) });
        });
      }),
    );
}

export function touchCommand(): Command {
  return userCommand('touch', ['cairn touch /flag'])
    .argument('<paths...>', 'files')
    .action(
      action<[string[]], GlobalOptions>(async (context, _options, paths) => {
        const client = await context.client();
        await context.forEach(paths.map(remotePath), async (path) => {
          await making(context, client, path, () => makeUnlessThere(context, client, path));
          const now = Date.now() / 1000;
          await client.utimes(path, now, now, { signal: context.signal });
          if (context.json) await context.printJson({ path });
        });
      }),
    );
}

/** A file; a directory is there already. */
async function makeUnlessThere(context: CommandContext, client: CairnClient, path: string): Promise<void> {
  try {
    await (await client.open(path, 'a', undefined, { signal: context.signal })).close();
  } catch (error) {
    if (!isFsError(error, 'IS_A_DIRECTORY')) throw error;
  }
}

export function truncateCommand(): Command {
  return userCommand('truncate', ['cairn truncate -s 0 /log', 'cairn truncate -s 1GiB /disk.img'])
    .argument('<paths...>', 'files')
    .requiredOption('-s, --size <size>', `the new size: ${SIZES}`, sizeArgument)
    .action(
      action<[string[]], GlobalOptions & { size: number }>(async (context, options, paths) => {
        const client = await context.client();
        await context.forEach(paths.map(remotePath), async (path) => {
          await client.truncate(path, options.size, { signal: context.signal });
          if (context.json) await context.printJson({ path, size: options.size });
        });
      }),
    );
}

/** `SRC... DST` as `cp` and `mv` mean it: into DST when it is a directory, otherwise to that name. */
async function sourcesAndTarget(
  command: string,
  context: CommandContext,
  client: CairnClient,
  paths: readonly string[],
  sourceOf: (text: string) => RemoteSource,
): Promise<{ sources: RemoteSource[]; targetOf(source: RemoteSource): string }> {
  if (paths.length < 2) throw new UsageError(`${command} needs at least one SRC and a DST`);
  const sources = paths.slice(0, -1).map(sourceOf);
  const destination = paths.at(-1)!;
  const target = withoutSlash(remotePath(destination));
  const inside = (path: string) => joinRemote(target, baseName(path));
  if (sources.length > 1) refuseSameTarget(namedSources(sources), inside);
  const stats = await statOrNothing(context, client, target);
  const isDirectory = stats?.isDirectory() === true;
  // A directory may become what the slash announces, a file may not.
  const isAnnounced = async () => stats === undefined && (await isRemoteDirectory(context, client, sources[0]!.path));
  if (!isDirectory && (sources.length > 1 || (destination.endsWith('/') && !(await isAnnounced())))) {
    if (stats !== undefined) throw new Error(`ENOTDIR: '${target}' is not a directory: it is a file`);
    throw new Error(`ENOENT: there is no directory '${target}': make it with "cairn mkdir -p ${target}"`);
  }
  return { sources, targetOf: ({ path, isContents }) => (isDirectory && !isContents ? inside(path) : target) };
}
