/** Reads every copy of every chunk of the files at rest, each from its own server, for comparison. */
import { concatBytes, toFsError } from '@cairnfs/base';
import type { CairnClient } from '@cairnfs/client';

export interface AuditedReplica {
  readonly address: string;
  /** As that server read it. */
  readonly bytes?: Uint8Array;
  /** Why it did not. */
  readonly error?: string;
  /** It has no replica. */
  readonly isMissing?: boolean;
  /** Its server has no lease or was not reached, or the view of the chunk was just changing: the copy may be good or bad. */
  readonly isUnread?: boolean;
}

export interface AuditedChunk {
  readonly path: string;
  /** In the file. */
  readonly offset: number;
  readonly length: number;
  readonly handle: string;
  readonly version: number;
  readonly isOpen: boolean;
  readonly replicas: readonly AuditedReplica[];
}

/** As long as for the last reading: a primary whose disk was slow a moment ago answers when that sync is over, or a view without it comes about. */
const LOCATE_TIMEOUT_MS = 60_000;

/** What is asked of the SDK here. */
type AuditClient = Pick<CairnClient, 'locate' | 'readReplica'>;

export async function auditReplicas(client: AuditClient, paths: readonly string[]): Promise<AuditedChunk[]> {
  const audited: AuditedChunk[] = [];
  for (const path of paths) {
    const { chunks } = await client.locate(path, { timeoutMs: LOCATE_TIMEOUT_MS });
    for (const chunk of chunks) {
      const { offset, length, handle, version, open: isOpen } = chunk;
      const replicas = await Promise.all(chunk.replicas.map(({ address }) => readOne(client, chunk, address)));
      audited.push({ path, offset, length, handle, version, isOpen, replicas: isOpen ? orEmpty(replicas) : replicas });
    }
  }
  return audited;
}

async function readOne(
  client: AuditClient,
  chunk: Parameters<CairnClient['readReplica']>[0],
  address: string,
): Promise<AuditedReplica> {
  try {
    const pieces: Uint8Array[] = [];
    for await (const piece of client.readReplica(chunk, address)) pieces.push(piece);
    return { address, bytes: pieces.length === 1 ? pieces[0]! : concatBytes(pieces) };
  } catch (error) {
    const { kind, message } = toFsError(error);
    return { address, isMissing: kind === 'CHUNK_NOT_FOUND', isUnread: PASSING.has(kind), error: message };
  }
}

/** A connection that is from before its server was started anew is found lost when it is used. */
const PASSING = new Set<string>(['LEASE_EXPIRED', 'STALE_VERSION', 'CONNECTION_LOST', 'UNAVAILABLE']);

/** Where nobody holds a byte of an open chunk, a missing replica is as good as an empty one (docs/spec/views.md). */
function orEmpty(replicas: readonly AuditedReplica[]): readonly AuditedReplica[] {
  if (!replicas.every(({ bytes, isMissing }) => bytes?.length === 0 || isMissing === true)) return replicas;
  return replicas.map(({ address }) => ({ address, bytes: new Uint8Array(0) }));
}
