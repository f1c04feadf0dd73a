/** A file to which records are appended and nothing else is done: each acknowledged one is there once, whole, in its place. */
import { contentOf, type FileOperation } from '@cairnfs/simulation';

/** @returns what is wrong with what the last read saw; undefined when nothing is. */
export function checkLog(operations: readonly FileOperation[]): string | undefined {
  const bytes = lastRead(operations);
  if (bytes === undefined) return 'it was not read at the end';
  const placed = new Map<number, FileOperation>();
  const unplaced = new Set<FileOperation>();
  for (const operation of operations) {
    const { call, outcome } = operation;
    if (call.kind !== 'appendRecord' || outcome.kind === 'failed') continue;
    if (outcome.kind === 'unknown') unplaced.add(operation);
    else if (placed.has(outcome.result.offset!)) return `two records were acknowledged at ${outcome.result.offset}`;
    else placed.set(outcome.result.offset!, operation);
  }
  for (let at = 0; at < bytes.length; ) {
    const record = placed.get(at) ?? [...unplaced].find((unknown) => isAt(bytes, at, unknown));
    if (record === undefined) return `at ${at} of ${bytes.length} begins no record, or one for the second time`;
    if (!isAt(bytes, at, record)) return `record #${record.id}, acknowledged at ${at}, is not there`;
    placed.delete(at);
    unplaced.delete(record);
    at += lengthOf(record);
  }
  const [lost] = placed;
  return lost === undefined ? undefined : `record #${lost[1].id}, acknowledged at ${lost[0]}, begins nowhere`;
}

function lastRead(operations: readonly FileOperation[]): Uint8Array | undefined {
  let last: FileOperation | undefined;
  for (const operation of operations) {
    const { call, outcome } = operation;
    if (call.kind !== 'read' || call.offset !== 0 || outcome.kind !== 'ok') continue;
    if (last === undefined || operation.begin > last.begin) last = operation;
  }
  return last?.outcome.kind === 'ok' ? last.outcome.result.bytes : undefined;
}

function isAt(bytes: Uint8Array, offset: number, { call }: FileOperation): boolean {
  if (call.kind !== 'appendRecord') return false;
  return Buffer.compare(bytes.subarray(offset, offset + call.length), contentOf(call.writeId, call.length)) === 0;
}

function lengthOf({ call }: FileOperation): number {
  return call.kind === 'appendRecord' ? call.length : 0;
}
