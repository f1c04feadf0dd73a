/**
 * The calls by which a primary brings a view to the other members, each under the server lease that this server has when it
 * is sent: what waited for a connection for longer might make a replica after the master has taken this server's silence
 * for its end. So a call may get less than its time, and then its failure says nothing of the member.
 */
import { isFsError, UNREACHABLE } from '@cairnfs/base';
import { ChunkserverPeerMethods, type InstallViewReply, type InstallViewRequest } from '@cairnfs/protocol';
import { PEER_CALL_TIMEOUT_MS } from '../mutation/limits.ts';
import type { MutationContext } from '../mutation/mutation-context.ts';
import { whileOverloaded } from '../mutation/while-overloaded.ts';

export interface Member {
  readonly id: number;
  readonly address: string;
}

export class ViewCalls {
  readonly #context: MutationContext;
  readonly #signal: AbortSignal;
  #wereCutShort = false;

  /** @param signal withdraws what waits for a connection. */
  constructor(context: MutationContext, signal: AbortSignal) {
    this.#context = context;
    this.#signal = signal;
  }

  /**
   * A member was not reached, did not answer or had too much to do, in what was left of the server lease. That may be renewed
   * by now; then it is longer than a call, so that the next round gives members all of their time.
   */
  get wereCutShort(): boolean {
    return this.#wereCutShort;
  }

  /** @throws FsError as the member refuses, or is not reached: see `wereCutShort`. */
  async install({ address }: Member, installation: InstallViewRequest): Promise<InstallViewReply> {
    const { clock, peers } = this.#context;
    const leaseMs = this.#context.serverLeaseLeftMs();
    const ask = async (leftMs: number): Promise<InstallViewReply> => {
      const timeoutMs = Math.min(leftMs, this.#context.serverLeaseLeftMs());
      const options = { timeoutMs, signal: this.#signal };
      return (await peers.channel(address).call(ChunkserverPeerMethods.installView, installation, options)).message;
    };
    try {
      return await whileOverloaded(clock, Math.min(PEER_CALL_TIMEOUT_MS, leaseMs), ask);
    } catch (error) {
      const isUnheard = isFsError(error, 'OVERLOADED', ...UNREACHABLE);
      if (leaseMs < PEER_CALL_TIMEOUT_MS && isUnheard) this.#wereCutShort = true;
      throw error;
    }
  }
}
