/**
 * Asks every copy of the closed chunks once more for what was acknowledged, as a client would that never heard the answer.
 * Nothing is applied by it as long as they remember: a closed chunk has no primary, and any member tells a retry what came
 * of the first try, unless it may not serve just then. A server that has no copy is not asked: that it is missing is judged
 * apart (checks/replicas.ts).
 */
import { isFsError } from '@cairnfs/base';
import { ChunkserverDataMethods, createRpcPool, type OperationId } from '@cairnfs/protocol';
import type { SimHost } from '@cairnfs/sim';
import type { RetriedMutation } from '../checks/retries.ts';
import type { AuditedChunk } from './replica-audit.ts';

const CALL_TIMEOUT_MS = 10_000;
/** A server is out of touch for a while: an answer of the master's may still be on its way, however late. */
const TRIES_MAX = 5;
const BETWEEN_TRIES_MS = 5_000;

export interface AcknowledgedMutation {
  readonly operation: OperationId;
  /** In the chunk. */
  readonly offset: number;
}

/** @param host of whoever asks; it must run no process. */
export async function auditRetries(
  host: SimHost,
  chunks: readonly AuditedChunk[],
  acknowledged: (handle: string) => readonly AcknowledgedMutation[],
): Promise<RetriedMutation[]> {
  const { clock, random, network, log } = host.start();
  const pool = createRpcPool({ clock, random, network, log });
  const ask = async (
    { handle, version }: AuditedChunk,
    server: string,
    { operation, offset }: AcknowledgedMutation,
  ): Promise<RetriedMutation> => {
    const asked = { chunk: handle, server, number: operation.number, offset };
    const request = { handle, version, operation, capacity: 0, data: new Uint8Array(1), checksum: undefined };
    try {
      const { message } = await pool
        .channel(server)
        .call(
          ChunkserverDataMethods.mutateChunk,
          { ...request, kind: { $case: 'append', value: true } },
          { timeoutMs: CALL_TIMEOUT_MS },
        );
      return { ...asked, answer: message.repeatedOperation ? { offset: message.offset } : 'applied' };
    } catch (error) {
      if (!isFsError(error)) throw error;
      return { ...asked, answer: error.kind };
    }
  };
  const retry = async (...[chunk, server, mutation]: Parameters<typeof ask>): Promise<RetriedMutation> => {
    for (let tries = 1; ; tries += 1) {
      const told = await ask(chunk, server, mutation);
      if (told.answer !== 'NOT_PRIMARY' || tries === TRIES_MAX) return told;
      await clock.sleep(BETWEEN_TRIES_MS);
    }
  };
  const retries = chunks
    .filter(({ isOpen }) => !isOpen)
    .flatMap((chunk) =>
      acknowledged(chunk.handle).flatMap((mutation) =>
        chunk.replicas
          .filter(({ isMissing }) => isMissing !== true)
          .map(({ address }) => retry(chunk, address, mutation)),
      ),
    );
  const told = await Promise.all(retries);
  pool.close();
  return told;
}
