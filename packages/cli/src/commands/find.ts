/** `du`, `find`: what lies below a directory, however much it is. */
import type { Stats } from '@cairnfs/client';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { action, type GlobalOptions, userCommand } from '../command.ts';
import { Lines } from '../output/lines.ts';
import { printableName, statsJson } from '../output/listing.ts';
import { displayWidth } from '../output/table.ts';
import { formatSize, SIZES } from '../output/units.ts';
import { baseName, remotePath } from '../paths.ts';
import { countedTree, sumTree, WHAT_COUNTS } from '../tree-sum.ts';
import { statsAlone, walk } from '../walk.ts';
import { durationArgument, sizeArgument, takingSizesForPeople } from './options.ts';

export function duCommand(): Command {
  return takingSizesForPeople(userCommand('du', ['cairn du /photos']))
    .argument('[paths...]', 'directories or files', ['/'])
    .addOption(new Option('-s, --summarize', 'one sum for each path, as always').hideHelp())
    .addHelpText('after', WHAT_COUNTS)
    .action(
      action<[string[]], GlobalOptions>(async (context, _options, paths) => {
        const client = await context.client();
        const isOne = paths.length === 1;
        const width = isOne
          ? undefined
          : Math.max(...paths.map((path) => displayWidth(printableName(remotePath(path)))));
        await context.forEach(paths.map(remotePath), async (path) => {
          const sum = await sumTree(client, path, context.signal);
          if (context.json) return context.printJson({ path, ...sum });
          const found = `${countedTree(sum)}, ${formatSize(sum.storedBytes)} stored in all copies`;
          await context.write(duLine(sum.sizeBytes, path, found, width));
        });
      }),
    );
}

/** Each as soon as it is known, and yet in columns: no size is wider than this. */
const SIZE_WIDTH = '1023 KiB'.length;

export function duLine(bytes: number, path: string, found: string, pathWidth: number | undefined): string {
  const size = formatSize(bytes);
  const name = printableName(path);
  if (pathWidth === undefined) return `${size}  ${name}  (${found})\n`;
  return `${size.padStart(SIZE_WIDTH)}  ${name}${' '.repeat(pathWidth - displayWidth(name))}  (${found})\n`;
}

interface FindOptions extends GlobalOptions {
  name?: RegExp;
  type?: 'f' | 'd';
  larger?: number;
  smaller?: number;
  newer?: number;
}

export function findCommand(): Command {
  return userCommand('find', ["cairn find /logs --name '*.log' --larger 1GiB", 'cairn find / --type f --newer 1h'])
    .argument('[path]', 'where to start', '/')
    .option('--name <pattern>', 'the name matches, with * and ?', globPattern)
    .option('--type <f|d>', 'files or directories only', (text) => {
      if (text !== 'f' && text !== 'd') throw new InvalidArgumentError('expected f or d.');
      return text;
    })
    .option('--larger <size>', `larger than this: ${SIZES}`, sizeArgument)
    .option('--smaller <size>', 'smaller than this, written alike', sizeArgument)
    .option('--newer <duration>', 'modified within this time: 30s, 10m, 2h, 3d', durationArgument)
    .action(
      action<[string], FindOptions>(async (context, options, start) => {
        const client = await context.client();
        const nowMs = Date.now();
        const lines = new Lines((text) => context.write(text));
        const isByStats = [options.larger, options.smaller, options.newer].some((limit) => limit !== undefined);
        const isWithin = ({ size, mtimeMs }: Stats) =>
          (options.larger === undefined || size > options.larger) &&
          (options.smaller === undefined || size < options.smaller) &&
          (options.newer === undefined || nowMs - mtimeMs < options.newer);
        for await (const { path, isDirectory, stats: listed } of walk(client, remotePath(start), context.signal)) {
          const isNamed =
            (options.name === undefined || options.name.test(baseName(path))) &&
            (options.type === undefined || (options.type === 'd') === isDirectory);
          // Only where it matters is anything asked of a file that the listing could not tell.
          const isAsked = isNamed && (isByStats || context.json);
          const stats = isAsked ? (listed ?? (await statsAlone(client, path, context.signal))) : listed;
          const isMatch = isNamed && (!isAsked || (stats !== undefined && isWithin(stats)));
          if (!isMatch) await lines.add();
          else await lines.add(context.json ? JSON.stringify(statsJson(path, stats!)) : printableName(path));
        }
        await lines.flush();
      }),
    );
}

function globPattern(pattern: string): RegExp {
  const escaped = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${escaped}$`, 'su');
}
