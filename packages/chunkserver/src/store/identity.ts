/** `<disk>/identity`: which server and cluster a folder belongs to, and which its sibling disks are. */

import { concatBytes, crc32c, type Disk, FsError, getU32LE, putU32LE } from '@cairnfs/base';
import { decodeMessage, encodeMessage } from '@cairnfs/protocol';
import { DiskIdentity } from '../gen/cairn/chunkserver/v1/store.ts';

const FORMAT_VERSION = 2;
const TRAILER_BYTES = 4;

export type NewIdentity = Omit<DiskIdentity, 'formatVersion'>;

/**
 * @returns undefined for a folder that has none.
 * @throws FsError DAMAGED  the file is not what was written, or of another version.
 */
export async function readIdentity(disk: Disk, directory: string): Promise<DiskIdentity | undefined> {
  const path = `${directory}/identity`;
  const found = await disk.stat(path);
  if (found === undefined) return undefined;
  const file = await disk.open(path, 'read');
  const bytes = new Uint8Array(found.sizeBytes);
  try {
    await file.read(0, bytes);
  } finally {
    await file.close();
  }
  const end = bytes.length - TRAILER_BYTES;
  if (end < 0 || getU32LE(bytes, end) !== crc32c(bytes.subarray(0, end))) {
    throw new FsError(
      'DAMAGED',
      `${path} is damaged: restore it from another copy, or move what is in the folder aside and create ${directory}/new-disk to begin a new disk there`,
    );
  }
  const identity = decodeMessage(DiskIdentity, bytes.subarray(0, end));
  if (identity.formatVersion === FORMAT_VERSION) return identity;
  const message = `${path} has format ${identity.formatVersion}, this software knows ${FORMAT_VERSION}: run the version that wrote it`;
  throw new FsError('DAMAGED', message);
}

/** Replaces the file. @returns what is there now. */
export async function writeIdentity(disk: Disk, directory: string, identity: NewIdentity): Promise<DiskIdentity> {
  const replace = await draftIdentity(disk, directory, identity);
  return replace();
}

/**
 * Writes it beside the file, which takes all the room it needs.
 *
 * @returns what puts it in place at once, where a crash leaves the old one or the new one, and says what is there then.
 */
export async function draftIdentity(
  disk: Disk,
  directory: string,
  identity: NewIdentity,
): Promise<() => Promise<DiskIdentity>> {
  const written = { ...identity, formatVersion: FORMAT_VERSION };
  const body = encodeMessage(DiskIdentity, written);
  const trailer = new Uint8Array(TRAILER_BYTES);
  putU32LE(trailer, 0, crc32c(body));
  const draft = `${directory}/identity.new`;
  const file = await disk.open(draft, 'openOrCreate');
  try {
    await file.truncate(0);
    await file.write(0, [concatBytes([body, trailer])]);
    await file.sync();
  } finally {
    await file.close();
  }
  return async () => {
    await disk.rename(draft, `${directory}/identity`);
    await disk.syncDirectory(directory);
    return written;
  };
}
