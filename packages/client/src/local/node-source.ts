/**
 * A local file as the source of an upload.
 *
 * Others may write to it while it is read. What it held when it was opened is read, so that the upload of a file that grows
 * all the time ends; what is appended later is left out, and a file that was cut ends where it was cut.
 */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { UploadSource } from '../write/upload-source.ts';
import { STORED_MODE } from './node-files.ts';

/** What is read, of a `FileHandle`. */
type ReadableFile = Pick<FileHandle, 'read'>;

export interface LocalSource extends UploadSource {
  readonly mode: number;
  /** Whole milliseconds, rounded down. */
  readonly modifiedMs: number;
  close(): Promise<void>;
}

export async function openSource(path: string): Promise<LocalSource> {
  const file = await open(path, constants.O_RDONLY);
  try {
    // Anew, not as it was when the directory was listed: another file may have taken its name.
    const { size, mode, mtimeNs } = await file.stat({ bigint: true });
    const source = fileSource(file, Number(size));
    const next = (length: number) =>
      source.next(length).catch((cause: NodeJS.ErrnoException) => {
        // The system's own words name no file.
        throw Object.assign(new Error(`${cause.message} of the local file '${path}'`, { cause }), { code: cause.code });
      });
    return {
      ...source,
      next,
      mode: Number(mode) & STORED_MODE,
      modifiedMs: floorToMs(mtimeNs),
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

const NS_OF_MS = 1_000_000n;

/** Down, also before 1970: a copy that is newer than what it was made from would pass for up to date. */
function floorToMs(ns: bigint): number {
  return Number((ns - (((ns % NS_OF_MS) + NS_OF_MS) % NS_OF_MS)) / NS_OF_MS);
}

/** From its beginning, in fresh buffers that the upload may keep. */
export function fileSource(file: ReadableFile, sizeBytes: number): UploadSource {
  // Of files in /proc the size is told as none: they have an end all the same.
  const endBytes = sizeBytes === 0 ? Number.POSITIVE_INFINITY : sizeBytes;
  let position = 0;
  // Once met the end stays: a short piece is the last one, also of a file that has grown since.
  let isAtEnd = false;
  return {
    sizeBytes,
    async next(length) {
      const wanted = isAtEnd ? 0 : Math.min(length, endBytes - position);
      if (wanted === 0) return undefined;
      const buffer = Buffer.allocUnsafeSlow(wanted);
      const bytesRead = await readFully(file, buffer, position);
      isAtEnd = bytesRead < wanted;
      position += bytesRead;
      return bytesRead === 0 ? undefined : buffer.subarray(0, bytesRead);
    },
    async restart() {
      position = 0;
      isAtEnd = false;
    },
  };
}

async function readFully(file: ReadableFile, buffer: Buffer, position: number): Promise<number> {
  let filled = 0;
  while (filled < buffer.length) {
    const { bytesRead } = await file.read(buffer, filled, buffer.length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return filled;
}
