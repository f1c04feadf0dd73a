/** All copies of a chunk hold the same bytes. */
import { createHash } from 'node:crypto';
import type { AuditedChunk } from '@cairnfs/simulation';

/** @returns a line for each chunk whose copies are too few, cannot be read or are not the same. */
export function differingReplicas(chunks: readonly AuditedChunk[], copies = 3): string[] {
  const found: string[] = [];
  for (const { path, offset, handle, version, replicas } of chunks) {
    const kinds = new Set(replicas.map(({ bytes, error }) => (bytes === undefined ? error : digest(bytes))));
    const isUnread = replicas.some(({ bytes }) => bytes === undefined);
    if (replicas.length >= copies && kinds.size === 1 && !isUnread) continue;
    const each = replicas.map(({ address, bytes, error }) =>
      bytes === undefined ? `${address}: ${error}` : `${address}: ${bytes.length} bytes ${digest(bytes)}`,
    );
    found.push(`${path} at ${offset}, chunk ${handle} version ${version}: ${each.join(', ')}`);
  }
  return found;
}

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 16);
}
