/**
 * The channel of an address that cannot be called for the moment. Its calls fail as any other call does, in their promise
 * and with their data given back, so that nobody has to expect a failure before the call.
 */
import type { Address, FsError } from '@cairnfs/base';
import type { CallOptions, RpcChannel } from './types.ts';

export function refusedChannel(address: Address, refusal: FsError): RpcChannel {
  const refuse = ({ data }: CallOptions): Promise<never> => {
    data?.sent?.();
    return Promise.reject(refusal);
  };
  return {
    address,
    call: (_method, _request, options) => refuse(options),
    stream: (_method, _request, options) => ({ [Symbol.asyncIterator]: () => ({ next: () => refuse(options) }) }),
    close: () => {},
  };
}
