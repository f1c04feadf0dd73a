/** Local files for tests: made, compared, damaged. */
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readdirSync, readFileSync, readSync, statSync, writeSync } from 'node:fs';
import { join, relative } from 'node:path';

const PIECE_BYTES = 4 * 1024 * 1024;
const STAMPED_BYTES = 4096;

/** Bytes without repetition at any block size, of any length: one random piece again and again, stamped with its offset. */
export class RandomBytes {
  readonly #piece = randomBytes(PIECE_BYTES);

  write(path: string, sizeBytes: number): void {
    const fd = openSync(path, 'w');
    for (let offset = 0; offset < sizeBytes; offset += PIECE_BYTES) {
      writeSync(fd, this.#at(offset), 0, Math.min(PIECE_BYTES, sizeBytes - offset));
    }
    closeSync(fd);
  }

  /** Whether that is all of them, and they are right, in whatever pieces they come. */
  async areWhole(pieces: AsyncIterable<Uint8Array>, sizeBytes: number): Promise<boolean> {
    let position = 0;
    let expected = this.#at(0);
    for await (const piece of pieces) {
      for (let done = 0; done < piece.length; ) {
        const within = position % PIECE_BYTES;
        if (within === 0) expected = this.#at(position);
        const length = Math.min(piece.length - done, PIECE_BYTES - within);
        if (expected.compare(piece, done, done + length, within, within + length) !== 0) return false;
        done += length;
        position += length;
      }
    }
    return position === sizeBytes;
  }

  #at(offset: number): Buffer {
    for (let at = 0; at < PIECE_BYTES; at += STAMPED_BYTES) this.#piece.writeDoubleLE(offset + at, at);
    return this.#piece;
  }
}

export function writeRandomFile(path: string, sizeBytes: number): void {
  new RandomBytes().write(path, sizeBytes);
}

/** Where the two begin to differ in bytes or in length; undefined when they do not. */
export function firstDifference(path: string, other: string): number | undefined {
  const fds = [openSync(path, 'r'), openSync(other, 'r')] as const;
  const pieces = [Buffer.allocUnsafe(PIECE_BYTES), Buffer.allocUnsafe(PIECE_BYTES)] as const;
  try {
    for (let offset = 0; ; offset += PIECE_BYTES) {
      const [left, right] = [0, 1].map((at) => readPiece(fds[at]!, pieces[at]!, offset)) as [Buffer, Buffer];
      if (!left.equals(right)) {
        const at = left.findIndex((byte, index) => byte !== right[index]);
        return offset + (at === -1 ? left.length : at);
      }
      if (left.length < PIECE_BYTES) return undefined;
    }
  } finally {
    for (const fd of fds) closeSync(fd);
  }
}

function readPiece(fd: number, piece: Buffer, offset: number): Buffer {
  let filled = 0;
  while (filled < piece.length) {
    const count = readSync(fd, piece, filled, piece.length - filled, offset + filled);
    if (count === 0) break;
    filled += count;
  }
  return piece.subarray(0, filled);
}

/** What tells the regular files below the two directories apart; symbolic links are not followed. */
export function treeDifferences(directory: string, other: string): string[] {
  const names = new Set([...walk(directory)].map((path) => relative(directory, path)));
  const otherNames = new Set([...walk(other)].map((path) => relative(other, path)));
  return [
    ...[...names].filter((name) => !otherNames.has(name)).map((name) => `${name} is missing`),
    ...[...otherNames].filter((name) => !names.has(name)).map((name) => `${name} is too much`),
    ...[...names]
      .filter((name) => otherNames.has(name))
      .filter((name) => !readFileSync(join(directory, name)).equals(readFileSync(join(other, name))))
      .map((name) => `${name} has other bytes`),
  ];
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
