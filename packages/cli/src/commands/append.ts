/** `append`: from a local file or a pipe to the end of a file in the cluster. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import type { Command } from 'commander';
import { action, type CommandContext, type GlobalOptions, userCommand } from '../command.ts';
import { writeStdout } from '../output/standard-output.ts';
import { remotePath } from '../paths.ts';
import { appendPieces } from './append-pieces.ts';
import { making } from './parents.ts';

/** As long as one record may be, so that it stays in one piece. */
const PIECE_BYTES_MAX = 1024 * 1024;
/** Long enough for what a program prints at once to go together, short for one who follows the file. */
const PAUSE_MS = 100;

const HOW_IT_GOES = `
Whole lines are appended together, up to 1 MiB at once and each time in one piece among other writers, at most ${PAUSE_MS} ms after
they arrived. What has arrived when the command is interrupted is still appended. With --json, "offset" is where the first byte
went and "end" what follows the last one: where they are farther apart than "bytes", other writers appended in between.`;

export function appendCommand(): Command {
  return userCommand('append', ['echo done | cairn append /logs/today', 'cairn append /logs/today local-part.log'])
    .argument('<path>', 'a file in the cluster')
    .argument('[source]', 'a local file; "-" or nothing reads standard input', '-')
    .addHelpText('after', HOW_IT_GOES)
    .action(action<[string, string], GlobalOptions>(append));
}

async function append(context: CommandContext, _options: GlobalOptions, text: string, source: string): Promise<void> {
  const client = await context.client();
  const path = remotePath(text);
  // Opened first: a source that is not there makes no file in the cluster.
  const input = source === '-' ? process.stdin : await openLocalFile(source);
  const openRemote = () => client.open(path, 'a', undefined, { signal: context.signal });
  const handle = await making(context, client, path, openRemote);
  let bytes = 0;
  let first: number | null = null;
  let end: number | null = null;
  const tell = async () => {
    const line = `${JSON.stringify({ path, bytes, offset: first, end })}\n`;
    if (context.json) await writeStdout(line, new AbortController().signal);
  };
  try {
    const limits = { bytesMax: PIECE_BYTES_MAX, pauseMs: PAUSE_MS };
    for await (const piece of appendPieces(input, context.signal, limits)) {
      // Not ended by an interruption: whether it was appended would not be known.
      const appended = await handle.appendFile(piece);
      first ??= appended?.offset ?? null;
      end = appended?.end ?? end;
      bytes += piece.length;
    }
  } catch (error) {
    // What was appended stays, also when the command is interrupted or the rest fails.
    if (bytes > 0) await tell();
    throw error;
  } finally {
    await handle.close();
  }
  await tell();
}

async function openLocalFile(path: string): Promise<Readable> {
  const stats = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') throw new Error(`ENOENT: no such local file: '${path}'`);
    throw error;
  });
  if (stats.isDirectory()) throw new Error(`EISDIR: '${path}' is a directory: append takes a file`);
  const stream = createReadStream(path);
  // Opened here: one that may not be read makes no file in the cluster either.
  await new Promise((resolve, reject) => stream.once('open', resolve).once('error', reject));
  return stream;
}
