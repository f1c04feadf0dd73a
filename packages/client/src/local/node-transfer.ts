/** Uploads and downloads of local files and trees: many files at once, within a bound. */
import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { FsError, toError } from '@cairnfs/base';
import { Flight } from '../call/flight.ts';
import type { CairnClient } from '../client.ts';
import { PARALLEL_FILES_DEFAULT } from '../limits.ts';
import type { CallOptions } from '../options.ts';
import { joinPath } from '../path.ts';
import type { Stats } from '../stats.ts';
import { concernsAll } from './concerns-all.ts';
import { makeLocalDirectory, walkLocal, writeLocal } from './node-files.ts';
import { openSource } from './node-source.ts';

export interface TransferProgress {
  readonly bytesDone: number;
  /** Grows while a tree is still being listed. */
  readonly bytesTotal: number;
  readonly filesDone: number;
  readonly filesTotal: number;
}

export interface TransferOptions extends CallOptions {
  /** Directories with everything in them. */
  readonly recursive?: boolean;
  /** Files under way at once. @default {16} */
  readonly parallel?: number;
  /** Uploads: store what symbolic links lead to. Otherwise they are skipped and reported. */
  readonly followSymlinks?: boolean;
  readonly onProgress?: (progress: TransferProgress) => void;
}

export interface TransferResult {
  readonly files: number;
  readonly bytes: number;
  /** What a tree holds besides files and directories, and why it was left out. */
  readonly skipped: readonly LeftOut[];
  /** What below the beginning could not be read or written, at either end. All the rest was transferred. */
  readonly failed: readonly FailedTransfer[];
}

export interface FailedTransfer extends LeftOut {
  readonly error: Error;
}

export interface LeftOut {
  readonly path: string;
  readonly reason: string;
}

export function uploadTree(
  client: CairnClient,
  from: string,
  to: string,
  options: TransferOptions,
): Promise<TransferResult> {
  return transferring(client, options, async (transfer) => {
    /** Of the last directory that could not be made; what is in it follows at once. */
    let unmade: string | undefined;
    for await (const entry of walkLocal(from, options.followSymlinks === true)) {
      transfer.throwIfFailed();
      const { path, relative, reason } = entry;
      if (unmade !== undefined && relative.startsWith(unmade)) continue;
      const isStart = relative === '';
      const target = isStart ? to : joinPath(to, relative);
      if (entry.kind === 'other') transfer.skipped.push({ path, reason });
      else if (entry.kind === 'unreadable') transfer.failed.push({ path, reason, error: new Error(reason) });
      else if (entry.kind === 'directory') {
        checkRecursive(options, from);
        const make = () => client.mkdir(target, { ...transfer.call, recursive: true, mode: entry.mode });
        if (!(await transfer.step(path, isStart, make))) unmade = `${relative}/`;
      } else await transfer.file(path, isStart, entry.sizeBytes, () => uploadOne(client, path, target, transfer));
    }
  });
}

async function uploadOne(client: CairnClient, path: string, target: string, transfer: Transfer): Promise<void> {
  const source = await openSource(path);
  try {
    const { mode, modifiedMs } = source;
    await client.store(target, source, {
      ...transfer.call,
      mode,
      modifiedMs,
      onProgress: (bytes) => transfer.bytes(bytes),
    });
  } finally {
    await source.close();
  }
}

export async function downloadTree(
  client: CairnClient,
  from: string,
  to: string,
  options: TransferOptions,
): Promise<TransferResult> {
  const stats = await client.stat(from, options);
  /** Directories that get another mode once everything is in them: their owner may not write to them then. */
  const closed: { readonly target: string; readonly mode: number }[] = [];
  const result = await transferring(client, options, async (transfer) => {
    const fetch = (path: string, target: string, listed: Stats | undefined) =>
      transfer.file(path, path === from, listed?.size ?? 0, async () => {
        const file = listed ?? (await client.stat(path, transfer.call));
        const pieces = client.readPieces(path, transfer.call);
        const attributes = { mode: file.mode, modifiedMs: file.mtimeMs };
        await writeLocal(target, pieces, (bytes) => transfer.bytes(bytes), attributes);
      });
    const visit = (directory: string, target: string, { mode }: Attributes): Promise<boolean> =>
      transfer.step(directory, directory === from, async () => {
        const finalMode = await makeLocalDirectory(target, mode);
        if (finalMode !== undefined) closed.push({ target, mode: finalMode });
        for await (const entry of client.opendir(directory, { ...transfer.call, withAttributes: true })) {
          transfer.throwIfFailed();
          const path = joinPath(directory, entry.name);
          if (entry.isDirectory()) await visit(path, join(target, entry.name), entry.stats!);
          else await fetch(path, join(target, entry.name), entry.stats);
        }
      });
    if (stats.isDirectory()) {
      checkRecursive(options, from);
      await visit(from, to, stats);
    } else await fetch(from, to, stats);
  });
  // What is farther down first: nobody gets past one that is closed.
  for (const { target, mode } of closed.reverse()) await chmod(target, mode);
  return result;
}

type Attributes = Pick<Stats, 'mode' | 'mtimeMs'>;

/** Runs `work`, and ends when nothing is under way any more, also when it fails: files that were begun are not left half. */
async function transferring(
  client: CairnClient,
  options: TransferOptions,
  work: (transfer: Transfer) => Promise<void>,
): Promise<TransferResult> {
  const transfer = new Transfer(client, options);
  try {
    await work(transfer);
  } catch (error) {
    transfer.fail(error);
  }
  return transfer.end();
}

/** Files under way: counts them, bounds them, keeps what failed, and stops at what would fail for all. */
class Transfer {
  readonly skipped: LeftOut[] = [];
  readonly failed: FailedTransfer[] = [];
  readonly #client: CairnClient;
  /** For all that is asked of the cluster: what would fail for everything ends what is under way. */
  readonly call: CallOptions;
  readonly #onProgress: TransferOptions['onProgress'];
  readonly #ended = new AbortController();
  readonly #flight: Flight;
  #failure: { readonly error: unknown } | undefined;
  #bytesDone = 0;
  #bytesTotal = 0;
  #filesDone = 0;
  #filesTotal = 0;

  constructor(
    client: CairnClient,
    { signal, timeoutMs, onProgress, parallel = PARALLEL_FILES_DEFAULT }: TransferOptions,
  ) {
    if (!(Number.isInteger(parallel) && parallel > 0)) {
      throw new FsError('INVALID_ARGUMENT', `${parallel} files under way at once: expected a whole number from 1 on`);
    }
    this.#client = client;
    this.#onProgress = onProgress;
    this.#flight = new Flight(parallel);
    const { signal: ended } = this.#ended;
    this.call = {
      signal: signal === undefined ? ended : AbortSignal.any([signal, ended]),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    };
  }

  /** Begins a file; waits only until there is room for the next. */
  async file(path: string, isStart: boolean, sizeBytes: number, work: () => Promise<void>): Promise<void> {
    this.#bytesTotal += sizeBytes;
    this.#filesTotal += 1;
    const transferred = this.step(path, isStart, work).then((isDone) => {
      if (isDone) this.#filesDone += 1;
      this.#report();
    });
    await this.#flight.add(transferred);
  }

  /** Answers whether it was done. What fails at the beginning, or would for everything, ends the transfer. */
  async step(path: string, isStart: boolean, work: () => Promise<unknown>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (thrown) {
      const error = toError(thrown);
      if (isStart || (await concernsAll(this.#client, error, this.call))) this.fail(thrown);
      else this.failed.push({ path, reason: error.message, error });
      return false;
    }
  }

  /** Ends the transfer, once what is under way has. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#ended.abort(error);
  }

  bytes(count: number): void {
    this.#bytesDone += count;
    this.#report();
  }

  throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
    this.call.signal?.throwIfAborted();
  }

  async end(): Promise<TransferResult> {
    await this.#flight.end();
    this.throwIfFailed();
    return { files: this.#filesDone, bytes: this.#bytesDone, skipped: this.skipped, failed: this.failed };
  }

  #report(): void {
    this.#onProgress?.({
      bytesDone: this.#bytesDone,
      // A file may have grown since it was listed.
      bytesTotal: Math.max(this.#bytesTotal, this.#bytesDone),
      filesDone: this.#filesDone,
      filesTotal: this.#filesTotal,
    });
  }
}

function checkRecursive(options: TransferOptions, path: string): void {
  if (options.recursive === true) return;
  throw new FsError('IS_A_DIRECTORY', `EISDIR: '${path}' is a directory: transfer it with \`recursive\``);
}
