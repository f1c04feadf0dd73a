/** Ids that cannot be mixed up. They are plain strings and numbers on the wire. */
import { type Brand, FsError } from '@cairnfs/base';

/** UUID of a chunk, 36 lowercase characters; assigned once by the master, never reused (GFS §2.3). */
export type ChunkHandle = Brand<string, 'ChunkHandle'>;

/** Number the master gave a chunkserver when it first registered: 1 and up, never reused. */
export type ServerId = Brand<number, 'ServerId'>;

/** Version of a chunk's view: 1 and up, raised by every view change. */
export type ChunkVersion = Brand<number, 'ChunkVersion'>;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const UINT32_MAX = 2 ** 32 - 1;

/** @throws FsError INVALID_ARGUMENT when `text` is not a UUID of 36 lowercase characters. */
export function checkChunkHandle(text: string): ChunkHandle {
  if (!UUID.test(text)) {
    throw new FsError('INVALID_ARGUMENT', `chunk handle ${quote(text)} is not a lowercase UUID of 36 characters`);
  }
  return text as ChunkHandle;
}

/** @throws FsError INVALID_ARGUMENT unless `value` is a whole number from 1 to 2^32 - 1. */
export function checkServerId(value: number): ServerId {
  if (!Number.isInteger(value) || value < 1 || value > UINT32_MAX) {
    throw new FsError('INVALID_ARGUMENT', `server id ${value} is not a whole number from 1 to ${UINT32_MAX}`);
  }
  return value as ServerId;
}

/** @throws FsError INVALID_ARGUMENT unless `value` is a whole number from 1 to 2^53 - 1. */
export function checkChunkVersion(value: number): ChunkVersion {
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new FsError('INVALID_ARGUMENT', `chunk version ${value} is not a whole number from 1 to 2^53 - 1`);
  }
  return value as ChunkVersion;
}

/** A value from outside, cut short, for a message to people. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}
