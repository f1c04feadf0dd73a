/** Local files for tests: made, hashed, compared, damaged. */
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, createReadStream, openSync, readdirSync, readSync, statSync, writeSync } from 'node:fs';
import { join, relative } from 'node:path';
import { pipeline } from 'node:stream/promises';

const PIECE_BYTES = 4 * 1024 * 1024;

/** A file without repetition at any block size: random pieces, each stamped with its offset. */
export function writeRandomFile(path: string, sizeBytes: number): void {
  const piece = randomBytes(PIECE_BYTES);
  const fd = openSync(path, 'w');
  for (let offset = 0; offset < sizeBytes; offset += piece.length) {
    for (let at = 0; at < piece.length; at += 4096) piece.writeDoubleLE(offset + at, at);
    writeSync(fd, piece, 0, Math.min(piece.length, sizeBytes - offset));
  }
  closeSync(fd);
}

export async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: PIECE_BYTES }), hash);
  return hash.digest('hex');
}

/** Relative path → SHA-256 of every regular file below `directory`; symbolic links are not followed. */
export async function sha256Tree(directory: string): Promise<Map<string, string>> {
  const hashes = new Map<string, string>();
  for (const path of walk(directory)) hashes.set(relative(directory, path), await sha256(path));
  return hashes;
}

export function* walk(directory: string): Generator<string> {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) yield* walk(path);
    else if (entry.isFile()) yield path;
  }
}

/** Flips one bit of the byte at `offset`. */
export function flipByte(path: string, offset: number): void {
  const fd = openSync(path, 'r+');
  const byte = Buffer.alloc(1);
  if (readSync(fd, byte, 0, 1, offset) !== 1) throw new Error(`${path} has no byte ${offset}`);
  byte[0] = byte[0]! ^ 0x10;
  writeSync(fd, byte, 0, 1, offset);
  closeSync(fd);
}

export function sizeOf(path: string): number {
  return statSync(path).size;
}
