/** `tail -f`: what a path goes on to hold, also when another file takes the place of the one that was there. */
import { isFsError } from '@cairnfs/base';
import type { CairnClient, FileHandle } from '@cairnfs/client';
import { printableName } from '../output/listing.ts';

const PIECE_BYTES = 4 * 1024 * 1024;

export type FollowedFile = Pick<FileHandle, 'ino' | 'read' | 'stat'>;

export interface FollowOptions {
  readonly signal: AbortSignal;
  /** Between two looks. */
  pause(): Promise<void>;
  /** Told, in one line, of what breaks the flow. */
  tell(line: string): void;
}

/** Bytes of `file` from `start` to before `end`, or to its end when that comes sooner. */
export async function* piecesOf(
  file: FollowedFile,
  start: number,
  end: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  for (let at = start; at < end; ) {
    const piece = new Uint8Array(Math.min(PIECE_BYTES, end - at));
    const { bytesRead } = await file.read(piece, 0, piece.length, at, { signal });
    if (bytesRead === 0) return;
    yield piece.subarray(0, bytesRead);
    at += bytesRead;
  }
}

/**
 * What comes behind `position` of `file`, which is at `path`; of a file that replaces it, all. A file that is cut is followed
 * from its new end on.
 *
 * @throws Error  nothing is at `path` any more.
 */
export async function* follow(
  client: { stat: CairnClient['stat']; open(path: string): Promise<FollowedFile> },
  path: string,
  { file, position }: { file: FollowedFile; position: number },
  { signal, pause, tell }: FollowOptions,
): AsyncGenerator<Uint8Array> {
  for (;;) {
    await pause();
    const { ino, size } = await statOf(client, path, signal);
    if (ino !== file.ino) {
      // What was written to the old one since the last look.
      const ending = await sizeIfThere(file, signal);
      if (ending > position) yield* readable(file, position, ending, signal);
      tell(`'${printableName(path)}' was replaced: following the new file`);
      file = await reopened(client, path);
      position = 0;
      continue;
    }
    if (size < position) {
      tell(`'${printableName(path)}' was cut: following from its new end`);
      position = size;
    }
    for await (const piece of readable(file, position, size, signal)) {
      position += piece.length;
      yield piece;
    }
  }
}

async function statOf(client: Pick<CairnClient, 'stat'>, path: string, signal: AbortSignal) {
  try {
    return await client.stat(path, { signal });
  } catch (error) {
    throw orNothingLeft(error, path);
  }
}

async function reopened(client: { open(path: string): Promise<FollowedFile> }, path: string): Promise<FollowedFile> {
  try {
    return await client.open(path);
  } catch (error) {
    throw orNothingLeft(error, path);
  }
}

function orNothingLeft(error: unknown, path: string): unknown {
  if (!isFsError(error, 'NOT_FOUND')) return error;
  return new Error(`ENOENT: '${path}' was deleted or renamed: nothing is left to follow`);
}

async function sizeIfThere(file: FollowedFile, signal: AbortSignal): Promise<number> {
  try {
    return (await file.stat({ signal })).size;
  } catch (error) {
    if (isFsError(error, 'NOT_FOUND', 'STALE_HANDLE')) return 0;
    throw error;
  }
}

/** As `piecesOf`; of a file that is gone meanwhile, what could be read: the next look at the path tells of it. */
async function* readable(
  file: FollowedFile,
  start: number,
  end: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  try {
    yield* piecesOf(file, start, end, signal);
  } catch (error) {
    if (!isFsError(error, 'NOT_FOUND', 'STALE_HANDLE')) throw error;
  }
}
