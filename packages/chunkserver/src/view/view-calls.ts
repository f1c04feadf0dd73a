/**
 * The calls by which a primary brings a view to the other members, each under the server lease that this server has when it
 * is sent: what waited for a connection for longer might make a replica after the master has taken this server's silence
 * for its end. So a call may get less than its time, and then its failure says nothing of the member.
 */
import { isFsError, UNREACHABLE } from '@cairnfs/base';
import { ChunkserverPeerMethods, type InstallViewReply, type InstallViewRequest } from '@cairnfs/protocol';
import { PEER_CALL_TIMEOUT_MS } from '../mutation/limits.ts';
import type { MutationContext } from '../mutation/mutation-context.ts';

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
   * A member was not reached, or did not answer, in what was left of the server lease. It may be renewed by now; then it is
   * longer than a call, so that the next round gives members all of their time.
   */
  get wereCutShort(): boolean {
    return this.#wereCutShort;
  }

  /** @throws FsError as the member refuses, or is not reached: see `wereCutShort`. */
  async install({ address }: Member, installation: InstallViewRequest): Promise<InstallViewReply> {
    const leaseMs = this.#context.serverLeaseLeftMs();
    const options = { timeoutMs: Math.min(PEER_CALL_TIMEOUT_MS, leaseMs), signal: this.#signal };
    try {
      const channel = this.#context.peers.channel(address);
      return (await channel.call(ChunkserverPeerMethods.installView, installation, options)).message;
    } catch (error) {
      if (leaseMs < PEER_CALL_TIMEOUT_MS && isFsError(error, ...UNREACHABLE)) this.#wereCutShort = true;
      throw error;
    }
  }
}
