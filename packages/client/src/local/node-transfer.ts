/** Uploads and downloads of local files and trees: many files at once, within a bound. */
import { join } from 'node:path';
import { FsError, toError } from '@cairnfs/base';
import { makeDirectory } from '@cairnfs/runtime';
import type { CairnClient } from '../client.ts';
import { PARALLEL_FILES_DEFAULT } from '../limits.ts';
import type { CallOptions } from '../options.ts';
import { joinPath } from '../path.ts';
import { concernsAll } from './concerns-all.ts';
import { walkLocal, writeLocal } from './node-files.ts';
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

export async function uploadTree(
  client: CairnClient,
  from: string,
  to: string,
  options: TransferOptions,
): Promise<TransferResult> {
  const transfer = new Transfer(client, options);
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
      const make = () => client.mkdir(target, { ...options, recursive: true, mode: entry.mode });
      if (!(await transfer.step(path, isStart, make))) unmade = `${relative}/`;
    } else
      await transfer.file(path, isStart, entry.sizeBytes, () => uploadOne(client, path, target, options, transfer));
  }
  return transfer.end();
}

async function uploadOne(
  client: CairnClient,
  path: string,
  target: string,
  { signal, timeoutMs }: TransferOptions,
  transfer: Transfer,
): Promise<void> {
  const source = await openSource(path);
  try {
    const { mode, modifiedMs } = source;
    const call = { signal, ...(timeoutMs === undefined ? {} : { timeoutMs }) };
    await client.store(target, source, { ...call, mode, modifiedMs, onProgress: (bytes) => transfer.bytes(bytes) });
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
  const transfer = new Transfer(client, options);
  const stats = await client.stat(from, options);
  const fetch = (path: string, target: string, file: { size: number; mode: number; mtimeMs: number }) =>
    transfer.file(path, path === from, file.size, async () => {
      const pieces = client.readPieces(path, options);
      const attributes = { mode: file.mode, modifiedMs: file.mtimeMs };
      await writeLocal(target, pieces, (bytes) => transfer.bytes(bytes), attributes);
    });
  const visit = (directory: string, target: string): Promise<boolean> =>
    transfer.step(directory, directory === from, async () => {
      await makeDirectory(target);
      for await (const entry of client.opendir(directory, { ...options, withAttributes: true })) {
        transfer.throwIfFailed();
        const path = joinPath(directory, entry.name);
        if (entry.isDirectory()) await visit(path, join(target, entry.name));
        else await fetch(path, join(target, entry.name), entry.stats!);
      }
    });
  if (stats.isDirectory()) {
    checkRecursive(options, from);
    await visit(from, to);
  } else await fetch(from, to, stats);
  return transfer.end();
}

/** Files under way: counts them, bounds them, keeps what failed, and stops at what would fail for all. */
class Transfer {
  readonly skipped: LeftOut[] = [];
  readonly failed: FailedTransfer[] = [];
  readonly #client: CairnClient;
  readonly #options: TransferOptions;
  readonly #running = new Set<Promise<unknown>>();
  #failure: unknown;
  #hasFailed = false;
  #bytesDone = 0;
  #bytesTotal = 0;
  #filesDone = 0;
  #filesTotal = 0;

  constructor(client: CairnClient, options: TransferOptions) {
    this.#client = client;
    this.#options = options;
  }

  /** Begins a file; waits only until there is room for the next. */
  async file(path: string, isStart: boolean, sizeBytes: number, work: () => Promise<void>): Promise<void> {
    this.#bytesTotal += sizeBytes;
    this.#filesTotal += 1;
    const running = this.step(path, isStart, work).then((isDone) => {
      if (isDone) this.#filesDone += 1;
      this.#running.delete(running);
      this.#report();
    });
    this.#running.add(running);
    while (this.#running.size >= (this.#options.parallel ?? PARALLEL_FILES_DEFAULT)) await Promise.race(this.#running);
  }

  /** Answers whether it was done. What fails at the beginning, or would for everything, ends the transfer. */
  async step(path: string, isStart: boolean, work: () => Promise<unknown>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (thrown) {
      const error = toError(thrown);
      if (isStart || this.#hasFailed || (await concernsAll(this.#client, error, this.#options))) {
        if (!this.#hasFailed) this.#failure = error;
        this.#hasFailed = true;
      } else this.failed.push({ path, reason: error.message, error });
      return false;
    }
  }

  bytes(count: number): void {
    this.#bytesDone += count;
    this.#report();
  }

  throwIfFailed(): void {
    this.#options.signal?.throwIfAborted();
    if (this.#hasFailed) throw this.#failure;
  }

  async end(): Promise<TransferResult> {
    await Promise.all(this.#running);
    this.throwIfFailed();
    return { files: this.#filesDone, bytes: this.#bytesDone, skipped: this.skipped, failed: this.failed };
  }

  #report(): void {
    this.#options.onProgress?.({
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
