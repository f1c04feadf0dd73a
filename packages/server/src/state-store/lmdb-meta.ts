/**
 * The look at the two meta pages of LMDB's file before it is opened: LMDB maps the file and follows what they say, so a
 * damaged one would end the process with a signal instead of taking out its disk. Layout as in `lmdb.h` of the version
 * in use (data version 2), of the machine's byte order: page header 16 bytes, then magic, version, address, map size,
 * two tree descriptors of 48 bytes, last page, transaction.
 */
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { FsError } from '@cairnfs/base';

const MAGIC = 0xbeefc0de;
const DATA_VERSION = 2;
const META_FLAG = 0x08;
const META_BYTES = 160;
const PAGE_BYTES_MIN = 512;
const PAGE_BYTES_MAX = 65_536;
const NO_PAGE = 0xffff_ffff_ffff_ffffn;

/**
 * Passes when there is no file yet, or an empty one.
 *
 * @throws FsError DAMAGED  LMDB could not open it.
 */
export async function checkLmdbFile(directory: string): Promise<void> {
  const path = join(directory, 'data.mdb');
  const found = await readMetas(path);
  if (found === undefined) return;
  const { first, second, sizeBytes } = found;
  const pageBytes = first.readUInt32LE(48);
  const isPageSize =
    pageBytes >= PAGE_BYTES_MIN && pageBytes <= PAGE_BYTES_MAX && Number.isInteger(Math.log2(pageBytes));
  if (!isMeta(first) || !isPageSize || !isMeta(second))
    throw damaged(path, 'its first pages are not those of an index');
  const newest = first.readBigUInt64LE(152) > second.readBigUInt64LE(152) ? first : second;
  for (const root of [newest.readBigUInt64LE(88), newest.readBigUInt64LE(136)]) {
    if (root === NO_PAGE || (root + 1n) * BigInt(pageBytes) <= BigInt(sizeBytes)) continue;
    throw damaged(path, `it ends at ${sizeBytes}, before its page ${root} of ${pageBytes} bytes`);
  }
}

async function readMetas(path: string): Promise<{ first: Buffer; second: Buffer; sizeBytes: number } | undefined> {
  const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (file === undefined) return undefined;
  try {
    const { size: sizeBytes } = await file.stat();
    if (sizeBytes === 0) return undefined;
    const first = Buffer.alloc(META_BYTES);
    const second = Buffer.alloc(META_BYTES);
    await file.read(first, 0, META_BYTES, 0);
    await file.read(second, 0, META_BYTES, first.readUInt32LE(48));
    return { first, second, sizeBytes };
  } finally {
    await file.close();
  }
}

function isMeta(page: Buffer): boolean {
  const hasFlag = (page.readUInt16LE(18) & META_FLAG) !== 0;
  return hasFlag && page.readUInt32LE(24) === MAGIC && page.readUInt32LE(28) === DATA_VERSION;
}

function damaged(path: string, fault: string): FsError {
  const message =
    `The index ${path} is damaged: ${fault}. Nothing was changed. Keep it for examination, then restore its folder ` +
    'from a backup, or, if other servers hold replicas of what it held, start with an empty one.';
  return new FsError('DAMAGED', message, { details: { path } });
}
