/** Channels by address, one for each, shared by everyone in the process. */
import {
  type Address,
  type AllocatePages,
  type Clock,
  FsError,
  type Log,
  type Network,
  type Random,
} from '@cairnfs/base';
import { POOL_CHANNELS_MAX } from '../limits.ts';
import { BufferPool } from './buffer-pool.ts';
import { refusedChannel } from './refused-channel.ts';
import { Channel } from './rpc-channel.ts';
import type { RpcChannel, RpcPool } from './types.ts';

export interface RpcPoolOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly network: Network;
  readonly log: Log;
  /** Shared with the process's `RpcServer`, so that both draw on the same free buffers. */
  readonly buffers?: BufferPool;
  /** For the pool's own buffers. */
  readonly allocatePages?: AllocatePages | undefined;
  /** The caller is a server of the cluster, and others wait for what it sends. */
  readonly isServer?: boolean;
  /** Addresses at once. @default POOL_CHANNELS_MAX */
  readonly channelsMax?: number;
}

/**
 * A channel holds a connection only while it is used: it closes an idle one and connects again when called. Closing a
 * channel takes it out of the pool; the next `channel` of its address makes a new one. So do those that nobody uses when there are
 * too many: clients name addresses too, as the route of an upload. While all there may be are in use, any other address gets a
 * channel that refuses every call, and is not kept.
 */
export function createRpcPool(options: RpcPoolOptions): RpcPool {
  const { clock, random, network, log, channelsMax = POOL_CHANNELS_MAX } = options;
  const buffers = options.buffers ?? new BufferPool({ allocatePages: options.allocatePages });
  const isServer = options.isServer === true;
  const channels = new Map<Address, Channel>();
  return {
    channel(address: Address): RpcChannel {
      const known = channels.get(address);
      if (known !== undefined) return known;
      const closed = (): void => {
        channels.delete(address);
      };
      if (channels.size >= channelsMax) closeUnused(channels);
      if (channels.size >= channelsMax) return refusedChannel(address, noRoom(channels.size, address));
      const channel = new Channel({ address, clock, random, network, log, buffers, isServer, closed });
      channels.set(address, channel);
      return channel;
    },
    close(): void {
      for (const channel of [...channels.values()]) channel.close();
    },
  };
}

function closeUnused(channels: Map<Address, Channel>): void {
  for (const channel of [...channels.values()]) if (channel.isUnused) channel.close();
}

function noRoom(channelCount: number, wanted: Address): FsError {
  return new FsError(
    'OVERLOADED',
    `${channelCount} servers are being called, no other can be meanwhile: ${wanted} has to wait`,
  );
}
