import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { action, type CommandContext, type GlobalOptions, userCommand } from '../command.ts';
import { UsageError } from '../failure.ts';
import { writePieces } from '../output/pipes.ts';
import { startProgress } from '../output/progress.ts';
import { baseName, refuseSameTarget, remotePath } from '../paths.ts';
import { leftOutJson, tellLeftOut } from './left-out.ts';
import { parallelOption } from './options.ts';

interface GetOptions extends GlobalOptions {
  recursive?: boolean;
  parallel: number;
}

export function getCommand(): Command {
  return userCommand('get', [
    'cairn get /films/film.mkv .',
    'cairn get -r /photos ./photos',
    'cairn get /backup/project.tgz - | tar xz',
  ])
    .argument('<paths...>', 'SRC... in the cluster and, last, a local DST; "-" as DST writes to standard output')
    .option('-r, --recursive', 'directories with everything in them')
    .addOption(parallelOption())
    .action(action<[string[]], GetOptions>(get));
}

async function get(context: CommandContext, options: GetOptions, paths: string[]): Promise<void> {
  if (paths.length < 2) throw new UsageError('get needs at least one SRC in the cluster and a local DST');
  const sources = paths.slice(0, -1).map(remotePath);
  const destination = paths.at(-1)!;
  if (destination === '') throw new UsageError("'' is not a local path: '.' is the folder one is in");
  const client = await context.client();
  if (destination === '-') {
    return context.forEach(sources, (source) =>
      writePieces(context, client.readPieces(source, { signal: context.signal })),
    );
  }
  const isDirectory = isLocalDirectory(destination);
  if (sources.length > 1 && !isDirectory)
    throw new UsageError(`'${destination}' is not a directory: several SRC need one`);
  const targetOf = (source: string) =>
    isDirectory || destination.endsWith('/') ? join(destination, baseName(source)) : destination;
  refuseSameTarget(sources, targetOf);
  await context.forEach(sources, async (source) => {
    const target = targetOf(source);
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
