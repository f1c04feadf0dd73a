/** What a chunkserver says it holds of some chunks. */
import { ChunkserverControlMethods, type ReplicaReport } from '@cairnfs/protocol';
import type { MasterContext } from '../context.ts';
import { CHUNKSERVER_CALL_TIMEOUT_MS } from '../limits.ts';

/**
 * Only those that it has. Another server at the address refuses: its word says nothing of this one.
 *
 * @throws FsError as the call fails.
 */
export async function describeReplicas(
  { pool }: Pick<MasterContext, 'pool'>,
  { id, address }: { readonly id: number; readonly address: string },
  handles: string[],
  timeoutMs = CHUNKSERVER_CALL_TIMEOUT_MS,
): Promise<ReplicaReport[]> {
  const request = { handles, serverId: id };
  const { message } = await pool
    .channel(address)
    .call(ChunkserverControlMethods.describeReplicas, request, { timeoutMs });
  return message.replicas;
}
