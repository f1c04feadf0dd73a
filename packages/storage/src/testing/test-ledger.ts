/** A small ledger on a disk of the tests: each record names a key, `-` before it removes the key. */
import { openLedger } from '../ledger.ts';
import type { Apply, Ledger } from '../types.ts';
import { type CrashDisk, ManualClock, seededRandom, silentLog } from './crash-disk.ts';

export const SIZING = { segmentBytes: 4096, roomAheadBytes: 1024 };
export const format = { name: 'test', version: 1 };
const apply: Apply = (transaction, record, sequence) => {
  const name = Buffer.from(record).toString('latin1');
  if (name.startsWith('-')) transaction.remove(name.slice(1));
  else transaction.put(name, Buffer.from(String(sequence)));
};

export const bytes = (text: string) => Buffer.from(text, 'latin1');

export function openOn(
  disk: CrashDisk,
  clock = new ManualClock(),
  with_: { apply?: Apply; version?: number; seed?: number } = {},
): Promise<Ledger> {
  const random = seededRandom(with_.seed ?? 1);
  const seams = { clock, random, disk, log: silentLog, openStateStore: disk.openStateStore.bind(disk) };
  const options = {
    directory: '/l',
    apply: with_.apply ?? apply,
    format: { name: 'test', version: with_.version ?? 1 },
  };
  return openLedger(seams, options, SIZING);
}

export const turns = async (count = 200) => {
  for (let turn = 0; turn < count; turn++) await Promise.resolve();
};

export const segmentPaths = (disk: CrashDisk) =>
  [...disk.files.keys()].filter((path) => path.endsWith('.journal')).sort();

/** A segment's header, and a record with a name of up to 8 letters. */
export const HEADER = 64;
export const SMALL_RECORD = 48;
