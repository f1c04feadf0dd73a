/** `ls`, `stat`, `du`, `find`, `checksum`: what is there. */
import { createHash } from 'node:crypto';
import type { Stats } from '@cairnfs/client';
import type { CairnClient } from '@cairnfs/client/node';
import { type Command, InvalidArgumentError } from 'commander';
import { action, type CommandContext, type GlobalOptions, userCommand } from '../command.ts';
import { formatMode, formatTime, LONG_COLUMNS, longRow, printableName, statsJson } from '../output/listing.ts';
import { formatTable } from '../output/table.ts';
import { formatSize, parseDuration, parseSize } from '../output/units.ts';
import { baseName, joinRemote, remotePath } from '../paths.ts';

/** One page of a listing: enough to amortise the call, small enough that the first rows come at once. */
const PAGE_ENTRIES = 1000;

interface ListOptions extends GlobalOptions {
  long?: boolean;
  recursive?: boolean;
}

export function lsCommand(): Command {
  return userCommand('ls', 'List directories', ['cairn ls /', 'cairn ls -l /films', 'cairn ls -R /photos'])
    .argument('[paths...]', 'directories or files', ['/'])
    .option('-l, --long', 'with mode, copies, owner, size and time')
    .option('-R, --recursive', 'with everything below')
    .action(
      action<[string[]], ListOptions>(async (context, options, paths) => {
        const client = await context.client();
        await context.forEach(paths.map(remotePath), (path) => list(context, options, client, path, paths.length > 1));
      }),
    );
}

async function list(
  context: CommandContext,
  options: ListOptions,
  client: CairnClient,
  path: string,
  withHeading: boolean,
): Promise<void> {
  const stats = await client.stat(path, { signal: context.signal });
  if (!stats.isDirectory()) return printEntries(context, options, [{ path, name: path, stats }]);
  const isDetailed = options.long === true || context.json;
  const directories: string[] = [];
  if (!context.json && (withHeading || options.recursive)) await context.write(`${printableName(path)}:\n`);
  let cursor = '';
  do {
    const page = await client.list(path, {
      cursor,
      limit: PAGE_ENTRIES,
      withAttributes: isDetailed,
      signal: context.signal,
    });
    await printEntries(
      context,
      options,
      page.entries.map((entry) => ({
        path: joinRemote(path, entry.name),
        name: entry.name,
        stats: entry.stats,
        isDirectory: entry.isDirectory(),
      })),
    );
    if (options.recursive) {
      for (const entry of page.entries) if (entry.isDirectory()) directories.push(joinRemote(path, entry.name));
    }
    cursor = page.nextCursor;
  } while (cursor !== '');
  for (const directory of directories) {
    if (!context.json) await context.write('\n');
    await list(context, options, client, directory, true);
  }
}

interface Shown {
  path: string;
  name: string;
  stats: Stats | undefined;
  isDirectory?: boolean;
}

async function printEntries(context: CommandContext, options: ListOptions, entries: readonly Shown[]): Promise<void> {
  if (entries.length === 0) return;
  if (context.json) {
    for (const { path, stats } of entries) await context.printJson(statsJson(path, stats!));
  } else if (options.long) {
    await context.write(
      formatTable(
        LONG_COLUMNS,
        entries.map(({ name, stats }) => longRow(name, stats!)),
      ),
    );
  } else {
    const lines = entries.map(({ name, isDirectory }) => printableName(name) + (isDirectory ? '/' : ''));
    await context.write(`${lines.join('\n')}\n`);
  }
}

export function statCommand(): Command {
  return userCommand('stat', 'Show everything known of a file or directory', ['cairn stat /films/film.mkv'])
    .argument('<paths...>', 'files or directories')
    .action(
      action<[string[]], GlobalOptions>(async (context, _options, paths) => {
        const client = await context.client();
        await context.forEach(paths.map(remotePath), async (path) => {
          const stats = await client.stat(path, { signal: context.signal });
          if (context.json) return context.printJson({ ...statsJson(path, stats), entryCount: stats.entryCount });
          const rows = [
            ['path', printableName(path)],
            ['type', stats.isDirectory() ? `directory, ${stats.entryCount} entries` : 'file'],
            ['size', stats.isDirectory() ? '-' : `${formatSize(stats.size)} (${stats.size} bytes)`],
            ['mode', `${formatMode(stats)} (${stats.mode.toString(8).padStart(4, '0')})`],
            ['owner', `${stats.owner || '-'} : ${stats.group || '-'}`],
            ['copies', stats.isDirectory() ? '-' : String(stats.replication)],
            ['modified', formatTime(stats.mtimeMs)],
            ['accessed', formatTime(stats.atimeMs)],
            ['created', formatTime(stats.birthtimeMs)],
            ['inode', `${stats.ino}, generation ${stats.generation}`],
            ...(stats.deletedFrom === '' ? [] : [['deleted from', printableName(stats.deletedFrom)]]),
          ];
          await context.write(rows.map(([name, value]) => `${name!.padEnd(12)}  ${value}\n`).join(''));
        });
      }),
    );
}

export function duCommand(): Command {
  return userCommand('du', 'Add up the sizes below directories', ['cairn du /photos'])
    .argument('[paths...]', 'directories or files', ['/'])
    .action(
      action<[string[]], GlobalOptions>(async (context, _options, paths) => {
        const client = await context.client();
        await context.forEach(paths.map(remotePath), async (path) => {
          const sum = { files: 0, directories: 0, bytes: 0, storedBytes: 0 };
          for await (const { stats } of walk(client, path, context.signal)) {
            if (stats.isDirectory()) sum.directories += 1;
            else {
              sum.files += 1;
              sum.bytes += stats.size;
              sum.storedBytes += stats.size * stats.replication;
            }
          }
          if (context.json) return context.printJson({ path, ...sum });
          const stored = `${formatSize(sum.storedBytes)} in all copies`;
          await context.write(`${formatSize(sum.bytes)}  ${printableName(path)}  (${sum.files} files, ${stored})\n`);
        });
      }),
    );
}

interface FindOptions extends GlobalOptions {
  name?: RegExp;
  type?: 'f' | 'd';
  larger?: number;
  smaller?: number;
  newer?: number;
}

export function findCommand(): Command {
  return userCommand('find', 'Find files by name, type, size or age', [
    "cairn find /logs --name '*.log' --larger 1GiB",
    'cairn find / --type f --newer 1h',
  ])
    .argument('[path]', 'where to start', '/')
    .option('--name <pattern>', 'the name matches, with * and ?', globPattern)
    .option('--type <f|d>', 'files or directories only', (text) => {
      if (text !== 'f' && text !== 'd') throw new InvalidArgumentError('expected f or d.');
      return text;
    })
    .option('--larger <size>', 'more bytes than this', parseArgument(parseSize))
    .option('--smaller <size>', 'fewer bytes than this', parseArgument(parseSize))
    .option('--newer <duration>', 'modified within this time', parseArgument(parseDuration))
    .action(
      action<[string], FindOptions>(async (context, options, start) => {
        const client = await context.client();
        const nowMs = Date.now();
        for await (const { path, stats } of walk(client, remotePath(start), context.signal)) {
          const isMatch =
            (options.name === undefined || options.name.test(baseName(path))) &&
            (options.type === undefined || (options.type === 'd') === stats.isDirectory()) &&
            (options.larger === undefined || stats.size > options.larger) &&
            (options.smaller === undefined || stats.size < options.smaller) &&
            (options.newer === undefined || nowMs - stats.mtimeMs < options.newer);
          if (!isMatch) continue;
          if (context.json) await context.printJson(statsJson(path, stats));
          else await context.write(`${printableName(path)}\n`);
        }
      }),
    );
}

export function checksumCommand(): Command {
  return userCommand('checksum', 'SHA-256 of files, in the format of sha256sum', ['cairn checksum /films/film.mkv'])
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
          else await context.write(`${sha256}  ${printableName(path)}\n`);
        });
      }),
    );
}

/** Everything from `path` down, parents before children. */
async function* walk(
  client: CairnClient,
  path: string,
  signal: AbortSignal,
): AsyncGenerator<{ path: string; stats: Stats }> {
  const stats = await client.stat(path, { signal });
  yield { path, stats };
  if (stats.isDirectory()) yield* walkBelow(client, path, signal);
}

async function* walkBelow(
  client: CairnClient,
  directory: string,
  signal: AbortSignal,
): AsyncGenerator<{ path: string; stats: Stats }> {
  let cursor = '';
  do {
    const page = await client.list(directory, { cursor, limit: PAGE_ENTRIES, withAttributes: true, signal });
    for (const entry of page.entries) {
      const path = joinRemote(directory, entry.name);
      yield { path, stats: entry.stats! };
      if (entry.isDirectory()) yield* walkBelow(client, path, signal);
    }
    cursor = page.nextCursor;
  } while (cursor !== '');
}

function globPattern(pattern: string): RegExp {
  const escaped = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${escaped}$`, 'su');
}

function parseArgument(parse: (text: string) => number): (text: string) => number {
  return (text) => {
    try {
      return parse(text);
    } catch (error) {
      throw new InvalidArgumentError((error as Error).message);
    }
  };
}
