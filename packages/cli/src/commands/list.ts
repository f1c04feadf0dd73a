/** `ls`, `stat`, `checksum`: what is there. */
import { createHash } from 'node:crypto';
import { isFsError } from '@cairnfs/base';
import type { DirectoryEntry, Stats } from '@cairnfs/client';
import type { CairnClient } from '@cairnfs/client/node';
import { type Command, Option } from 'commander';
import { action, type CommandContext, type GlobalOptions, userCommand } from '../command.ts';
import {
  formatExactTime,
  formatMode,
  LONG_COLUMNS,
  longRow,
  printableName,
  statsJson,
  unknownJson,
  unknownRow,
} from '../output/listing.ts';
import { formatTable } from '../output/table.ts';
import { counted, exactSize } from '../output/units.ts';
import { baseName, joinRemote, remotePath, TRASH } from '../paths.ts';
import { PAGE_ENTRIES } from '../walk.ts';
import { takingSizesForPeople } from './options.ts';

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r' };

interface ListOptions extends GlobalOptions {
  all?: boolean;
  long?: boolean;
  recursive?: boolean;
}

export function lsCommand(): Command {
  return takingSizesForPeople(userCommand('ls', ['cairn ls /', 'cairn ls -l /films', 'cairn ls -R /photos']))
    .argument('[paths...]', 'directories or files', ['/'])
    .option('-a, --all', 'in "/" also .trash; other names that begin with a dot are always shown')
    .option('-l, --long', 'with mode, copies, owner, size and time; "?" of a file when nobody can tell how long it is')
    .option('-R, --recursive', 'with everything below')
    .addOption(new Option('-1', 'one name a line, as always').hideHelp())
    .action(
      action<[string[]], ListOptions>(async (context, options, paths) => {
        const client = await context.client();
        const { files, directories } = await namedPaths(context, client, paths.map(remotePath));
        await printEntries(context, options, files);
        let isFirst = files.length === 0;
        await context.forEach(directories, async (path) => {
          if (!isFirst && !context.json) await context.write('\n');
          isFirst = false;
          await list(context, options, client, path, paths.length > 1);
        });
      }),
    );
}

/** Files come first, in one table; what is not there is told at once. */
async function namedPaths(
  context: CommandContext,
  client: CairnClient,
  paths: readonly string[],
): Promise<{ files: Shown[]; directories: string[] }> {
  const files: Shown[] = [];
  const directories: string[] = [];
  await context.forEach(paths, async (path) => {
    const stats = await client.stat(path, { signal: context.signal });
    if (stats.isDirectory()) directories.push(path);
    else files.push({ path, name: path, stats });
  });
  return { files, directories };
}

async function list(
  context: CommandContext,
  options: ListOptions,
  client: CairnClient,
  path: string,
  withHeading: boolean,
): Promise<void> {
  const isDetailed = options.long === true || context.json;
  let directories: readonly string[] | undefined;
  if (!context.json && (withHeading || options.recursive)) await context.write(`${printableName(path)}:\n`);
  let cursor = '';
  do {
    const page = await client.list(path, {
      cursor,
      limit: PAGE_ENTRIES,
      withAttributes: isDetailed,
      signal: context.signal,
    });
    const entries: Shown[] = page.entries.map((entry) => ({
      path: joinRemote(path, entry.name),
      name: entry.name,
      stats: entry.stats,
      isDirectory: entry.isDirectory(),
    }));
    if (options.all && path === '/' && cursor === '') {
      const stats = await client.stat(TRASH, { signal: context.signal });
      entries.unshift({ path: TRASH, name: baseName(TRASH), stats, isDirectory: true });
    }
    await printEntries(context, options, entries, cursor === '');
    if (cursor === '' && page.nextCursor === '') directories = [...directoriesOf(page.entries)];
    cursor = page.nextCursor;
  } while (cursor !== '');
  if (!options.recursive) return;
  // Of a directory of several pages no names are kept: it is read again for the directories in it.
  for await (const name of directories ?? directoriesIn(client, path, context.signal)) {
    if (!context.json) await context.write('\n');
    await listBelow(context, options, client, joinRemote(path, name));
  }
}

async function* directoriesIn(client: CairnClient, path: string, signal: AbortSignal): AsyncGenerator<string> {
  for await (const entry of client.opendir(path, { signal })) yield* directoriesOf([entry]);
}

function* directoriesOf(entries: readonly DirectoryEntry[]): Generator<string> {
  for (const entry of entries) if (entry.isDirectory()) yield entry.name;
}

/** A directory that was there when its parent was listed: it may have been removed or moved meanwhile. */
async function listBelow(
  context: CommandContext,
  options: ListOptions,
  client: CairnClient,
  path: string,
): Promise<void> {
  try {
    await list(context, options, client, path, true);
  } catch (error) {
    if (!isFsError(error, 'NOT_FOUND')) throw error;
    context.fail(error);
  }
}

interface Shown {
  path: string;
  name: string;
  stats: Stats | undefined;
  isDirectory?: boolean;
}

async function printEntries(
  context: CommandContext,
  options: ListOptions,
  entries: readonly Shown[],
  isFirstPage = true,
): Promise<void> {
  if (entries.length === 0) return;
  if (context.json) {
    const lines = entries.map(({ path, stats }) => {
      return JSON.stringify(stats === undefined ? unknownJson(path) : statsJson(path, stats));
    });
    await context.write(`${lines.join('\n')}\n`);
  } else if (options.long) {
    await context.write(
      formatTable(
        LONG_COLUMNS,
        entries.map(({ name, stats }) => (stats === undefined ? unknownRow(name) : longRow(name, stats))),
        { withTitles: isFirstPage },
      ),
    );
  } else {
    const lines = entries.map(({ name, isDirectory }) => printableName(name) + (isDirectory ? '/' : ''));
    await context.write(`${lines.join('\n')}\n`);
  }
}

export function statCommand(): Command {
  return userCommand('stat', ['cairn stat /films/film.mkv'])
    .argument('<paths...>', 'files or directories')
    .action(
      action<[string[]], GlobalOptions>(async (context, _options, paths) => {
        const client = await context.client();
        let isFirst = true;
        await context.forEach(paths.map(remotePath), async (path) => {
          const stats = await client.stat(path, { signal: context.signal });
          if (!isFirst && !context.json) await context.write('\n');
          isFirst = false;
          if (context.json) return context.printJson({ ...statsJson(path, stats), entryCount: stats.entryCount });
          const rows = [
            ['path', printableName(path)],
            ['type', stats.isDirectory() ? `directory, ${counted(stats.entryCount, 'entry', 'entries')}` : 'file'],
            ['size', stats.isDirectory() ? '-' : exactSize(stats.size)],
            ['mode', `${formatMode(stats)} (${stats.mode.toString(8).padStart(4, '0')})`],
            ['owner', `${stats.owner || '-'} : ${stats.group || '-'}`],
            ['copies', stats.isDirectory() ? '-' : String(stats.replication)],
            ['modified', formatExactTime(stats.mtimeMs)],
            ['accessed', formatExactTime(stats.atimeMs)],
            ['created', formatExactTime(stats.birthtimeMs)],
            ['inode', `${stats.ino}, generation ${stats.generation}`],
            ...(stats.deletedFrom === '' ? [] : [['deleted from', printableName(stats.deletedFrom)]]),
          ];
          await context.write(rows.map(([name, value]) => `${name!.padEnd(12)}  ${value}\n`).join(''));
        });
      }),
    );
}

export function checksumCommand(): Command {
  return userCommand('checksum', ['cairn checksum /films/film.mkv'])
    .argument('<paths...>', 'files')
    .action(
      action<[string[]], GlobalOptions>(async (context, _options, paths) => {
        const client = await context.client();
        await context.forEach(paths.map(remotePath), async (path) => {
          const hash = createHash('sha256');
          for await (const piece of client.createReadStream(path, { signal: context.signal }))
            hash.update(piece as Uint8Array);
          const sha256 = hash.digest('hex');
          if (context.json) await context.printJson({ path, sha256 });
          else await context.write(checksumLine(sha256, process.stdout.isTTY ? printableName(path) : path));
        });
      }),
    );
}

/** As `sha256sum` writes it, so that `sha256sum -c` reads it: a name with a backslash or a line break is escaped, and marked. */
export function checksumLine(sha256: string, path: string): string {
  const escaped = path.replace(/[\\\n\r]/g, (character) => ESCAPES[character]!);
  return `${escaped === path ? '' : '\\'}${sha256}  ${escaped}\n`;
}
