/** `cat`, `head`, `tail`: bytes of files to standard output. */
import { setTimeout as pause } from 'node:timers/promises';
import { type Command, Option } from 'commander';
import { action, type CommandContext, type GlobalOptions, userCommand } from '../command.ts';
import { writePieces } from '../output/pipes.ts';
import { SIZES } from '../output/units.ts';
import { remotePath } from '../paths.ts';
import { type FollowedFile, follow, piecesOf } from './follow.ts';
import { sizeArgument, wholeNumber } from './options.ts';

const LINES_DEFAULT = 10;
const LINES_MAX = 1_000_000;
const NEWLINE = 10;
/** Read backwards in pieces of this size to find the last lines. */
const TAIL_PIECE_BYTES = 64 * 1024;
/** A line longer than this is cut: the memory of `tail` stays bounded. */
const TAIL_BYTES_MAX = 64 * 1024 * 1024;
const FOLLOW_INTERVAL_MS = 250;
/** What they print is the file itself. */
const BYTES_ONLY = { json: false };

interface LineOptions extends GlobalOptions {
  lines: number;
  bytes?: number;
  follow?: boolean;
}

export function catCommand(): Command {
  return userCommand('cat', ['cairn cat /logs/today', 'cairn cat /a /b > both'], BYTES_ONLY)
    .argument('<paths...>', 'files in the cluster')
    .action(
      action<[string[]], GlobalOptions>(async (context, _options, paths) => {
        const client = await context.client();
        await context.forEach(paths.map(remotePath), (path) =>
          writePieces(context, client.readPieces(path, { signal: context.signal })),
        );
      }),
    );
}

export function headCommand(): Command {
  return userCommand('head', ['cairn head -n 3 /logs/today', 'cairn head -c 1KiB /data'], BYTES_ONLY)
    .argument('<path>', 'a file in the cluster')
    .addOption(linesOption())
    .addOption(bytesOption())
    .action(action<[string], LineOptions>(head));
}

export function tailCommand(): Command {
  return userCommand('tail', ['cairn tail /logs/today', 'cairn tail -f /logs/today'], BYTES_ONLY)
    .argument('<path>', 'a file in the cluster')
    .addOption(linesOption())
    .addOption(bytesOption())
    .option('-f, --follow', 'go on with what is appended, until interrupted')
    .action(action<[string], LineOptions>(tail));
}

function linesOption(): Option {
  return new Option('-n, --lines <n>', 'so many lines')
    .default(LINES_DEFAULT)
    .argParser((text) => wholeNumber(text, 0, LINES_MAX));
}

function bytesOption(): Option {
  return new Option('-c, --bytes <size>', `so many bytes instead of lines: ${SIZES}`)
    .argParser(sizeArgument)
    .conflicts('lines');
}

async function head(context: CommandContext, options: LineOptions, text: string): Promise<void> {
  const client = await context.client();
  const path = remotePath(text);
  let wanted = options.lines;
  // Nothing is wanted of it, but it must be there.
  if ((options.bytes ?? wanted) === 0)
    return (await client.open(path, 'r', undefined, { signal: context.signal })).close();
  if (options.bytes !== undefined) {
    return writePieces(context, client.readPieces(path, { start: 0, end: options.bytes - 1, signal: context.signal }));
  }
  for await (const piece of client.createReadStream(path, { signal: context.signal })) {
    const bytes = piece as Uint8Array;
    let end = 0;
    while (wanted > 0 && end < bytes.length) {
      const newline = bytes.indexOf(NEWLINE, end);
      if (newline < 0) end = bytes.length;
      else {
        end = newline + 1;
        wanted -= 1;
      }
    }
    await context.write(bytes.subarray(0, end));
    if (wanted === 0) return;
  }
}

async function tail(context: CommandContext, options: LineOptions, text: string): Promise<void> {
  const client = await context.client();
  const { signal } = context;
  const path = remotePath(text);
  const file = await client.open(path, 'r', undefined, { signal });
  const position = (await file.stat({ signal })).size;
  const start =
    options.bytes === undefined
      ? await startOfLastLines(file, position, options.lines, signal)
      : Math.max(0, position - options.bytes);
  await writePieces(context, piecesOf(file, start, position, signal));
  if (!options.follow) return;
  context.endsByInterruption = true;
  const following = follow(
    { stat: (at, call) => client.stat(at, call), open: (at) => client.open(at, 'r', undefined, { signal }) },
    path,
    { file, position },
    {
      signal,
      pause: () => pause(FOLLOW_INTERVAL_MS, undefined, { signal }),
      tell: (line) => process.stderr.write(`cairn: ${line}\n`),
    },
  );
  await writePieces(context, following);
}

async function startOfLastLines(file: FollowedFile, size: number, lines: number, signal: AbortSignal): Promise<number> {
  if (lines === 0) return size;
  // The newline that ends the last line does not begin another.
  let wanted = lines + 1;
  let end = size;
  let isLastByte = true;
  while (end > 0 && size - end < TAIL_BYTES_MAX) {
    const start = Math.max(0, end - TAIL_PIECE_BYTES);
    const piece = new Uint8Array(end - start);
    await file.read(piece, 0, piece.length, start, { signal });
    for (let index = piece.length - 1; index >= 0; index -= 1) {
      const isNewline = piece[index] === NEWLINE;
      if (isLastByte && !isNewline) wanted -= 1;
      isLastByte = false;
      if (isNewline) wanted -= 1;
      if (isNewline && wanted === 0) return start + index + 1;
    }
    end = start;
  }
  return end;
}
