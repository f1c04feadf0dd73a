/** Uploads and downloads of local files and trees: many files at once, within a bound. */
import { join } from 'node:path';
import { FsError } from '@cairnfs/base';
import { makeDirectory } from '@cairnfs/runtime';
import type { CairnClient } from '../client.ts';
import { PARALLEL_FILES_DEFAULT } from '../limits.ts';
import type { CallOptions } from '../options.ts';
import { joinPath } from '../path.ts';
import { type LocalEntry, walkLocal, writeLocal } from './node-files.ts';
import { type LocalSource, openSource } from './node-source.ts';

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
  /** Uploads: what below the beginning could not be read here, and why. All the rest was stored. */
  readonly unreadable: readonly LeftOut[];
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
  const transfer = new Transfer(options);
  for await (const entry of walkLocal(from, options.followSymlinks === true)) {
    transfer.throwIfFailed();
    const target = entry.relative === '' ? to : joinPath(to, entry.relative);
    const { path, reason } = entry;
    if (entry.kind === 'other') transfer.skipped.push({ path, reason });
    else if (entry.kind === 'unreadable') transfer.unreadable.push({ path, reason });
    else if (entry.kind === 'directory') {
      checkRecursive(options, from);
      await client.mkdir(target, { ...options, recursive: true, mode: entry.mode });
    } else await transfer.file(entry.sizeBytes, () => uploadOne(client, entry, target, options, transfer));
  }
  return transfer.end();
}

async function uploadOne(
  client: CairnClient,
  entry: LocalEntry,
  target: string,
  options: TransferOptions,
  transfer: Transfer,
): Promise<boolean> {
  let source: LocalSource;
  try {
    source = await openSource(entry.path);
  } catch (error) {
    if (entry.relative === '') throw error;
    transfer.unreadable.push({ path: entry.path, reason: (error as Error).message });
    return false;
  }
  try {
    const { mode, modifiedMs } = source;
    const { signal, timeoutMs } = options;
    const call = { signal, ...(timeoutMs === undefined ? {} : { timeoutMs }) };
    await client.store(target, source, { ...call, mode, modifiedMs, onProgress: (bytes) => transfer.bytes(bytes) });
    return true;
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
  const transfer = new Transfer(options);
  const stats = await client.stat(from, options);
  const fetch = (path: string, target: string, file: { size: number; mode: number; mtimeMs: number }) =>
    transfer.file(file.size, async () => {
      const pieces = client.readPieces(path, options);
      const attributes = { mode: file.mode, modifiedMs: file.mtimeMs };
      await writeLocal(target, pieces, (bytes) => transfer.bytes(bytes), attributes);
      return true;
    });
  const visit = async (directory: string, target: string): Promise<void> => {
    await makeDirectory(target);
    for await (const entry of client.opendir(directory, { ...options, withAttributes: true })) {
      transfer.throwIfFailed();
      const path = joinPath(directory, entry.name);
      if (entry.isDirectory()) await visit(path, join(target, entry.name));
      else await fetch(path, join(target, entry.name), entry.stats!);
    }
  };
  if (stats.isDirectory()) {
    checkRecursive(options, from);
    await visit(from, to);
  } else await fetch(from, to, stats);
  return transfer.end();
}

/** Files under way: counts them, bounds them, and stops at the first failure. */
class Transfer {
  readonly skipped: LeftOut[] = [];
  readonly unreadable: LeftOut[] = [];
  readonly #options: TransferOptions;
  readonly #running = new Set<Promise<void>>();
  #failure: unknown;
  #hasFailed = false;
  #bytesDone = 0;
  #bytesTotal = 0;
  #filesDone = 0;
  #filesTotal = 0;

  constructor(options: TransferOptions) {
    this.#options = options;
  }

  /** Begins a file; waits only until there is room for the next. `work` answers whether the file is there now. */
  async file(sizeBytes: number, work: () => Promise<boolean>): Promise<void> {
    this.#bytesTotal += sizeBytes;
    this.#filesTotal += 1;
    const running = work()
      .then((isDone) => {
        if (isDone) this.#filesDone += 1;
        this.#report();
      })
      .catch((error: unknown) => {
        if (!this.#hasFailed) this.#failure = error;
        this.#hasFailed = true;
      })
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
    while (this.#running.size >= (this.#options.parallel ?? PARALLEL_FILES_DEFAULT)) await Promise.race(this.#running);
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
    return { files: this.#filesDone, bytes: this.#bytesDone, skipped: this.skipped, unreadable: this.unreadable };
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
