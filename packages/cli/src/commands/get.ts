import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { action, type CommandContext, type GlobalOptions, userCommand } from '../command.ts';
import { UsageError } from '../failure.ts';
import { writePieces } from '../output/pipes.ts';
import { startProgress } from '../output/progress.ts';
import { baseName, namedSources, type RemoteSource, refuseSameTarget, remoteSource, WHERE_TREES_GO } from '../paths.ts';
import { leftOutJson, tellLeftOut } from './left-out.ts';
import { parallelOption } from './options.ts';

interface GetOptions extends GlobalOptions {
  recursive?: boolean;
  parallel: number;
}

const WHAT_IS_KEPT = `New files and directories get the stored mode without set-id bits, as the umask allows; files their modification time.`;

export function getCommand(): Command {
  return userCommand('get', [
    'cairn get /films/film.mkv .',
    'cairn get -r /photos ./photos',
    'cairn get -r /photos/. ./copy          what is in /photos into copy',
    'cairn get /backup/project.tgz - | tar xz',
  ])
    .argument('<paths...>', 'SRC... in the cluster and, last, a local DST; "-" as DST writes to standard output')
    .option('-r, --recursive', 'directories with everything in them')
    .addOption(parallelOption())
    .addHelpText('after', `${WHERE_TREES_GO}\n${WHAT_IS_KEPT}`)
    .action(action<[string[]], GetOptions>(get));
}

async function get(context: CommandContext, options: GetOptions, paths: string[]): Promise<void> {
  if (paths.length < 2) throw new UsageError('get needs at least one SRC in the cluster and a local DST');
  const sources = paths.slice(0, -1).map(remoteSource);
  const destination = paths.at(-1)!;
  if (destination === '') throw new UsageError("'' is not a local path: '.' is the folder one is in");
  const client = await context.client();
  if (destination === '-') {
    return context.forEach(sources, ({ path }) =>
      writePieces(context, client.readPieces(path, { signal: context.signal })),
    );
  }
  const isDirectory = isLocalDirectory(destination);
  if (sources.length > 1 && !isDirectory)
    throw new UsageError(`'${destination}' is not a directory: several SRC need one`);
  const inside = (path: string) => join(destination, baseName(path));
  const targetOf = ({ path, isContents }: RemoteSource) =>
    !isContents && (isDirectory || destination.endsWith('/')) ? inside(path) : destination;
  if (sources.length > 1) refuseSameTarget(namedSources(sources), inside);
  await context.forEach(sources, async (sourceAndForm) => {
    const { path: source } = sourceAndForm;
    const target = targetOf(sourceAndForm);
    const stats = await client.stat(source, { signal: context.signal });
    if (stats.isDirectory() && !options.recursive) {
      throw new Error(`EISDIR: '${source}' is a directory: add -r to fetch it with everything in it`);
    }
    checkLocalTarget(target, stats.isDirectory());
    const progress = await startProgress(`get ${baseName(source)}`, !context.json);
    try {
      const result = await client.download(source, target, {
        recursive: options.recursive === true,
        parallel: options.parallel,
        signal: context.signal,
        onProgress: ({ bytesDone, bytesTotal, filesDone, filesTotal }) =>
          progress.update({ bytes: bytesDone, totalBytes: bytesTotal, files: filesDone, totalFiles: filesTotal }),
      });
      progress.end();
      tellLeftOut(context, 'fetch', result);
      const { files, bytes } = result;
      if (context.json) await context.printJson({ source, path: target, files, bytes, ...leftOutJson(result) });
    } finally {
      progress.end();
    }
  });
}

function isLocalDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** Before bytes are fetched for nothing. */
function checkLocalTarget(target: string, forDirectory: boolean): void {
  const present = statSync(target, { throwIfNoEntry: false });
  if (forDirectory) {
    if (present?.isDirectory() !== false) return;
    throw new Error(`ENOTDIR: '${target}' is a local file: a directory cannot replace it`);
  }
  if (present?.isDirectory()) throw new Error(`EISDIR: '${target}' is a local directory and stays one`);
  if (!isLocalDirectory(dirname(target))) throw new Error(`ENOENT: there is no local directory '${dirname(target)}'`);
}
