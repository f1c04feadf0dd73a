/**
 * Records of a file that is only appended to: in its final content each acknowledged one is there once, whole, where its
 * writer was told, in the order of its client; one of unknown outcome at most once; and nothing else.
 */
import { contentOf } from '../history/content.ts';
import type { FileOperation } from '../history/file-calls.ts';
import type { Violation } from './violation.ts';

interface Appended {
  readonly operation: FileOperation;
  readonly writeId: number;
  readonly length: number;
}

/** Whether the check can judge a file: records that something else wrote over tell nothing. */
export function isOnlyAppendedTo(operations: readonly FileOperation[]): boolean {
  return operations.every(({ call }) => ['appendRecord', 'read', 'size'].includes(call.kind));
}

/** @param content the whole file, read when everything had ended. */
export function checkAppends(path: string, operations: readonly FileOperation[], content: Uint8Array): Violation[] {
  const violations: Violation[] = [];
  const report = (summary: string, details: string) =>
    violations.push({ check: 'appends', summary: `${path}: ${summary}`, details });
  const left = new Map<number, Appended>();
  for (const operation of operations) {
    const { call } = operation;
    if (call.kind === 'appendRecord') left.set(call.writeId, { operation, writeId: call.writeId, length: call.length });
  }
  const lastOf = new Map<string, Appended>();
  for (let at = 0; at < content.length; ) {
    const record = recordAt(content, at, left.values());
    if (record === undefined) {
      report(`no record is whole at ${at}`, `${content.length - at} bytes from ${at} on: ${hex(content, at)}`);
      break;
    }
    left.delete(record.writeId);
    const { outcome, client, id } = record.operation;
    if (outcome.kind === 'failed') report(`a refused record is at ${at}`, `${nameOf(record)}: ${outcome.code}`);
    if (outcome.kind === 'ok' && outcome.result.offset !== at) {
      report(
        `a record is not where its writer was told`,
        `${nameOf(record)} is at ${at}, told ${outcome.result.offset}`,
      );
    }
    const last = lastOf.get(client);
    // What its client gave up on may have been applied late.
    const wasSettled = last !== undefined && last.operation.outcome.kind === 'ok' && outcome.kind === 'ok';
    if (wasSettled && last.operation.id > id) {
      report(`records of ${client} are out of order`, `${nameOf(last)} before ${nameOf(record)} at ${at}`);
    }
    if (outcome.kind === 'ok') lastOf.set(client, record);
    at += record.length;
  }
  for (const record of left.values()) {
    if (record.operation.outcome.kind === 'ok') report('an acknowledged record is lost', nameOf(record));
  }
  return violations;
}

/** The longest that is there: of a single byte many a record may be. */
function recordAt(content: Uint8Array, at: number, records: Iterable<Appended>): Appended | undefined {
  let longest: Appended | undefined;
  for (const record of records) {
    if (at + record.length > content.length || record.length <= (longest?.length ?? 0)) continue;
    if (contentOf(record.writeId, 1)[0] !== content[at]) continue;
    const bytes = contentOf(record.writeId, record.length);
    if (Buffer.compare(bytes, content.subarray(at, at + record.length)) === 0) longest = record;
  }
  return longest;
}

function nameOf({ operation, writeId, length }: Appended): string {
  return `${operation.client} #${operation.id}, write ${writeId} of ${length} bytes`;
}

function hex(content: Uint8Array, at: number): string {
  return Buffer.from(content.subarray(at, at + 16)).toString('hex');
}
