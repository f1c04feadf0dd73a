/** The master, whichever of the list leads now: a call goes to the one that answered last, and a failure moves on. */
import { type Address, FsError, isFsError, UNREACHABLE } from '@cairnfs/base';
import type { CallOptions, Method, Reply, RpcChannel, RpcPool } from '@cairnfs/protocol';

/** No answer, or one that says that it does not lead: another may. */
const MOVE_ON = [...UNREACHABLE, 'UNAVAILABLE', 'UNKNOWN_METHOD', 'PROTOCOL_MISMATCH'] as const;

export class MasterLink implements Pick<RpcChannel, 'call'> {
  readonly #pool: RpcPool;
  readonly #masters: readonly Address[];
  #current = 0;

  /** @throws FsError INVALID_ARGUMENT  no master is named. */
  constructor(pool: RpcPool, masters: readonly Address[]) {
    if (masters.length === 0) throw new FsError('INVALID_ARGUMENT', 'a chunkserver needs the address of a master');
    this.#pool = pool;
    this.#masters = masters;
  }

  get address(): Address {
    return this.#masters[this.#current]!;
  }

  async call<Q, S>(method: Method<Q, S> & { stream: 'none' }, request: Q, options: CallOptions): Promise<Reply<S>> {
    const tried = this.#current;
    try {
      return await this.#pool.channel(this.address).call(method, request, options);
    } catch (error) {
      if (isFsError(error, ...MOVE_ON) && tried === this.#current) {
        this.#current = (this.#current + 1) % this.#masters.length;
      }
      throw error;
    }
  }
}
