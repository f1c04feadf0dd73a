import { statSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { isFsError } from '@cairnfs/base';
import type { CairnClient } from '@cairnfs/client/node';
import type { Command } from 'commander';
import { action, type CommandContext, type GlobalOptions, userCommand } from '../command.ts';
import { UsageError } from '../failure.ts';
import { interruptible, pipeInto } from '../output/pipes.ts';
import { startProgress } from '../output/progress.ts';
import { joinRemote, meansContents, parentOf, refuseSameTarget, remotePath, WHERE_TREES_GO } from '../paths.ts';
import { leftOutJson, tellLeftOut } from './left-out.ts';
import { parallelOption } from './options.ts';
import { checkParent, isDirectory, making, OR_ADD_P, statOrNothing } from './parents.ts';

interface PutOptions extends GlobalOptions {
  recursive?: boolean;
  parallel: number;
  parents?: boolean;
  follow?: boolean;
}

const WHAT_IS_STORED = `
SRC itself may be a symbolic link, and is followed. In a tree symbolic links are skipped, each with a line, unless --follow
stores what they lead to; devices, pipes and sockets are always skipped. What cannot be stored is told, the rest is stored.
A file that others write to meanwhile is stored as far as it went when it was opened.
Modes are stored, and of files the modification time; neither owners nor extended attributes. "get" gives no set-id bits back.`;

export function putCommand(): Command {
  return userCommand('put', [
    'cairn put film.mkv /films/',
    'cairn put -r photos music /',
    'cairn put -r photos/. /album         what is in photos into /album',
    'tar cz project | cairn put - /backup/project.tgz',
  ])
    .argument('<paths...>', 'local SRC... and, last, DST in the cluster; "-" as SRC reads standard input')
    .option('-r, --recursive', 'directories with everything in them')
    .option('-p, --parents', 'make missing directories above DST')
    .option('--follow', 'in trees, store what symbolic links lead to')
    .addOption(parallelOption())
    .addHelpText('after', WHERE_TREES_GO + WHAT_IS_STORED)
    .action(action<[string[]], PutOptions>(put));
}

async function put(context: CommandContext, options: PutOptions, paths: string[]): Promise<void> {
  if (paths.length < 2) throw new UsageError('put needs at least one local SRC and a DST in the cluster');
  const sources = paths.slice(0, -1);
  const destination = paths.at(-1)!;
  const target = remotePath(destination);
  const inside = (source: string) => joinRemote(target, basename(resolve(source)));
  const named = sources.filter((source) => !meansContents(source));
  if (sources.length > 1) refuseSameTarget(named, inside);
  const client = await context.client();
  const intoDirectory =
    sources.length > 1 ||
    (named.length > 0 && (destination.endsWith('/') || (await isDirectory(context, client, target))));
  if (intoDirectory && sources.includes('-')) throw new UsageError('standard input has no name: give DST a file name');
  if (options.parents) {
    const directory = intoDirectory ? target : parentOf(target);
    await client.mkdir(directory, { recursive: true, signal: context.signal });
  } else if (intoDirectory) await checkDirectory(context, client, target);
  await context.forEach(sources, async (source) => {
    if (source === '-') {
      const store = () => {
        const input = interruptible(process.stdin, context.signal);
        return pipeInto(input, client.createWriteStream(target, { signal: context.signal }));
      };
      const bytes = await making(context, client, target, store, OR_ADD_P);
      if (context.json) await context.printJson({ source, path: target, files: 1, bytes });
      return;
    }
    await putOne(context, options, client, source, intoDirectory && !meansContents(source) ? inside(source) : target);
  });
}

/** Told once, not for each of several sources. */
async function checkDirectory(context: CommandContext, client: CairnClient, target: string): Promise<void> {
  const present = await statOrNothing(context, client, target);
  if (present?.isDirectory()) return;
  if (present !== undefined) throw new Error(`ENOTDIR: '${target}' is not a directory: it is a file`);
  throw new Error(`ENOENT: there is no directory '${target}': make it with "cairn mkdir -p ${target}"${OR_ADD_P}`);
}

async function putOne(
  context: CommandContext,
  options: PutOptions,
  client: CairnClient,
  source: string,
  target: string,
): Promise<void> {
  const stats = statSync(source, { throwIfNoEntry: false });
  if (stats === undefined) throw new Error(`ENOENT: no such local file or directory: '${source}'`);
  if (stats.isDirectory() && !options.recursive) {
    throw new Error(`EISDIR: '${source}' is a directory: add -r to store it with everything in it`);
  }
  if (!stats.isDirectory() && !stats.isFile()) {
    throw new Error(
      `EINVAL: '${source}' is neither a file nor a directory: to store what it yields, cairn put - ${target} < ${source}`,
    );
  }
  // A tree makes directories on its way; those above it, and above a file, are made only when asked for.
  if (stats.isDirectory()) {
    await checkParent(context, client, target, OR_ADD_P);
    const present = await statOrNothing(context, client, target);
    if (present?.isDirectory() === false) {
      throw new Error(`ENOTDIR: '${target}' is a file: a directory cannot replace it`);
    }
  }
  const progress = await startProgress(`put ${basename(resolve(source))}`, !context.json);
  try {
    const upload = () =>
      client.upload(source, target, {
        recursive: options.recursive === true,
        followSymlinks: options.follow === true,
        parallel: options.parallel,
        signal: context.signal,
        onProgress: ({ bytesDone, bytesTotal, filesDone, filesTotal }) =>
          progress.update({ bytes: bytesDone, totalBytes: bytesTotal, files: filesDone, totalFiles: filesTotal }),
      });
    const result = await making(context, client, target, upload, OR_ADD_P).catch((error: unknown) => {
      throw stats.isFile() && isFsError(error, 'IS_A_DIRECTORY') ? isDirectoryAlready(target) : error;
    });
    progress.end();
    tellLeftOut(context, 'store', result);
    const { files, bytes } = result;
    if (context.json) await context.printJson({ source, path: target, files, bytes, ...leftOutJson(result) });
  } finally {
    progress.end();
  }
}

function isDirectoryAlready(target: string): Error {
  return new Error(`EISDIR: '${target}' is a directory: a file cannot replace it`);
}
