/** What one run showed, held against every promise. */
import { crc32c } from '@cairnfs/base';
import { recordBytesMax } from '@cairnfs/protocol';
import { checkAppends, isOnlyAppendedTo } from '../checks/appends.ts';
import { checkFile } from '../checks/file/check-file.ts';
import { checkNamespace } from '../checks/namespace/check-namespace.ts';
import { checkRefusals } from '../checks/refusals.ts';
import { type ChunkAtEnd, checkReplicas, type ReplicaAtEnd } from '../checks/replicas.ts';
import type { Violation } from '../checks/violation.ts';
import type { AuditedChunk, AuditedReplica } from '../cluster/replica-audit.ts';
import type { FileOperation } from '../history/file-calls.ts';
import type { HistoryRecorder } from '../history/history-recorder.ts';
import { CHUNK_BYTES } from '../schedule/schedule.ts';
import { LAST_READER } from './last-reading.ts';

const GOAL = 3; // copies, the master's default

export interface Verdict {
  readonly violations: readonly Violation[];
  /** Histories that would have taken too long to judge. */
  readonly undecidedCount: number;
}

export function judgeHistories({ files, subtrees }: HistoryRecorder): Verdict {
  const violations: Violation[] = [];
  let undecidedCount = 0;
  const note = ({ violation, isUndecided }: { violation: Violation | undefined; isUndecided: boolean }) => {
    if (violation !== undefined) violations.push(violation);
    if (isUndecided) undecidedCount += 1;
  };
  const rules = { chunkBytes: CHUNK_BYTES, recordBytesMax: recordBytesMax(CHUNK_BYTES) };
  for (const [path, operations] of files) {
    note(checkFile(path, operations, rules));
    violations.push(...checkRefusals(path, operations));
    const content = finalContent(operations);
    if (content !== undefined && isOnlyAppendedTo(operations))
      violations.push(...checkAppends(path, operations, content));
  }
  for (const [path, operations] of subtrees) note(checkNamespace(path, operations));
  return { violations, undecidedCount };
}

/** Every copy reads, and those of one version are equal. */
export function judgeReplicas(audit: readonly AuditedChunk[], { servers }: { servers: number }): Violation[] {
  const violations = [...checkReplicas(audit.map(chunkAtEnd), { servers })];
  for (const { handle, path, replicas } of audit) {
    for (const { address, error } of replicas) {
      if (error === undefined) continue;
      const summary = `${path}: ${address} does not read chunk ${handle} of a healed cluster: ${error}`;
      violations.push({ check: 'replicas', summary, details: error });
    }
  }
  return violations;
}

/** It lacks a copy, or one could not be read for the moment: its view may just be changing. */
export function isChanging({ replicas }: AuditedChunk, servers: number): boolean {
  return replicas.length < Math.min(GOAL, servers) || replicas.some(({ isUnread }) => isUnread === true);
}

/** As the last reader saw it, who asked for more than there is; undefined when the run did not come to that. */
function finalContent(operations: readonly FileOperation[]): Uint8Array | undefined {
  const last = operations.findLast(({ client, call }) => client === LAST_READER && call.kind === 'read');
  return last?.outcome.kind === 'ok' ? last.outcome.result.bytes : undefined;
}

function chunkAtEnd({ handle, version, replicas }: AuditedChunk): ChunkAtEnd {
  const read = replicas.flatMap((replica) => replicaAtEnd(replica, version) ?? []);
  return { handle, version, goal: GOAL, members: replicas.map(({ address }) => address), replicas: read };
}

function replicaAtEnd({ address, bytes }: AuditedReplica, version: number): ReplicaAtEnd | undefined {
  if (bytes === undefined) return undefined;
  return { server: address, version, length: bytes.length, digest: crc32c(bytes).toString(16), state: 'live' };
}
