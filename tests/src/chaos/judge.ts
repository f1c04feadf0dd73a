/** The histories of a run against the promises, by the checks of the simulator. */
import { recordBytesMax } from '@cairnfs/protocol';
import {
  CHUNK_BYTES,
  checkAppends,
  checkFile,
  checkNamespace,
  type FileOperation,
  type Violation,
} from '@cairnfs/simulation';
import type { RecordedHistories } from './operation-log.ts';

export interface Verdict {
  readonly violations: readonly Violation[];
  /** Objects whose history took too long to judge. */
  readonly undecided: readonly string[];
}

/** @param logs  the files to which records were appended and nothing else was done. */
export function judge({ files, subtrees }: RecordedHistories, { logs }: { logs: readonly string[] }): Verdict {
  const violations: Violation[] = [];
  const undecided: string[] = [];
  const note = (object: string, verdict: { violation: Violation | undefined; isUndecided: boolean }) => {
    if (verdict.violation !== undefined) violations.push(verdict.violation);
    if (verdict.isUndecided) undecided.push(object);
  };
  for (const [path, history] of files) {
    const operations = history();
    note(path, checkFile(path, operations, { chunkBytes: CHUNK_BYTES, recordBytesMax: recordBytesMax(CHUNK_BYTES) }));
    const content = logs.includes(path) ? lastContentOf(operations) : undefined;
    if (content !== undefined) violations.push(...checkAppends(path, operations, content));
  }
  for (const [path, history] of subtrees) note(path, checkNamespace(path, history()));
  return { violations, undecided };
}

/** As the last process read it; undefined when it could not, which is told elsewhere. */
function lastContentOf(operations: readonly FileOperation[]): Uint8Array | undefined {
  const reads = operations.filter(({ client, call }) => client === 'final' && call.kind === 'read');
  const outcome = reads.at(-1)?.outcome;
  return outcome?.kind === 'ok' ? outcome.result.bytes : undefined;
}
