/**
 * The file FORMAT, written durably before anything else in a ledger's directory: one line of text that says whose it is
 * and in which format, so that no program reads or overwrites what it does not understand.
 */
import { type Disk, FsError, utf8Bytes, utf8Text } from '@cairnfs/base';
import { WHAT_TO_DO } from './record-format.ts';

const LEDGER_FORMAT_VERSION = 2;
const FORMAT_BYTES_MAX = 1024;

/** Throws `DAMAGED` when the directory holds something else than a ledger of this name and version. */
export async function checkFormat(
  disk: Disk,
  directory: string,
  format: { name: string; version: number },
): Promise<void> {
  const path = `${directory}/FORMAT`;
  const expected = `cairnfs-ledger ${LEDGER_FORMAT_VERSION} ${format.name} ${format.version}\n`;
  if ((await disk.stat(path)) === undefined) {
    await refuseStrangers(disk, directory);
    await writeDurably(disk, directory, expected);
    return;
  }
  const found = await readText(disk, path);
  if (found === expected) return;
  const message = `${path} says ${JSON.stringify(found)}, this server expects ${JSON.stringify(expected)}: the directory belongs to another purpose or version. Point the server at its own directory, or run the version that wrote it.`;
  throw new FsError('DAMAGED', message, { details: { path } });
}

async function refuseStrangers(disk: Disk, directory: string): Promise<void> {
  const names = await disk.list(directory);
  if (!names.includes('journal') && !names.includes('state')) return;
  const message = `${directory} holds a journal or a state but no file FORMAT that says whose they are. ${WHAT_TO_DO}`;
  throw new FsError('DAMAGED', message, { details: { path: directory } });
}

async function writeDurably(disk: Disk, directory: string, text: string): Promise<void> {
  const path = `${directory}/FORMAT`;
  const file = await disk.open(`${path}.new`, 'openOrCreate');
  try {
    const bytes = utf8Bytes(text);
    await file.write(0, [bytes]);
    await file.truncate(bytes.length);
    await file.sync();
  } finally {
    await file.close();
  }
  await disk.rename(`${path}.new`, path);
  await disk.syncDirectory(directory);
}

async function readText(disk: Disk, path: string): Promise<string> {
  const file = await disk.open(path, 'read');
  try {
    const bytes = new Uint8Array(FORMAT_BYTES_MAX);
    return utf8Text(bytes.subarray(0, await file.read(0, bytes)));
  } finally {
    await file.close();
  }
}
