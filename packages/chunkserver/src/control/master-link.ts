/** The master, whichever of the list leads now: a call goes to the one that answered last, and a failure moves on. */
import { type Address, FsError, isFsError, UNREACHABLE } from '@cairnfs/base';
import {
  type CallOptions,
  type Method,
  otherKindOfServer,
  type Reply,
  type RpcChannel,
  type RpcPool,
} from '@cairnfs/protocol';

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
    const { address } = this;
    try {
      return await this.#pool.channel(address).call(method, request, options);
    } catch (error) {
      if (isFsError(error, ...MOVE_ON) && tried === this.#current) {
        this.#current = (this.#current + 1) % this.#masters.length;
      }
      throw ofMaster(error, address, method);
    }
  }
}

/** Another chunkserver answers, and knows no such call: what is wrong is the list, and not the method. */
function ofMaster(error: unknown, address: Address, method: { readonly name: string }): unknown {
  if (!isFsError(error)) return error;
  const kindOfServer = otherKindOfServer(error, method);
  if (kindOfServer === undefined) return error;
  const message = `${address} is a ${kindOfServer}: "masters" names the masters`;
  return new FsError(error.kind, message, { details: error.details, cause: error });
}
