/** A server, a pool and the network between them, on a fake clock. */
import type { Address, Log, LogFields, Random } from '@cairnfs/base';
import { BufferPool } from '../rpc/buffer-pool.ts';
import { createRpcPool } from '../rpc/rpc-pool.ts';
import { createRpcServer, type RpcServer, type RpcServerLimits } from '../rpc/rpc-server.ts';
import type { RpcChannel, RpcPool } from '../rpc/types.ts';
import { FakeClock } from './fake-clock.ts';
import { type Cut, LoopbackNetwork } from './loopback-network.ts';

/** Keeps what was logged at warn and above. */
export class RecordingLog implements Log {
  readonly records: { message: string; fields: LogFields | undefined }[] = [];
  debug(): void {}
  info(): void {}
  warn(message: string, fields?: LogFields): void {
    this.records.push({ message, fields });
  }
  error(message: string, fields?: LogFields): void {
    this.records.push({ message, fields });
  }
  child(): Log {
    return this;
  }
}

/** A seeded generator (mulberry32): the same numbers in every run. */
export function seededRandom(seed: number): Random {
  let state = seed;
  const uint32 = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  return { uint32, bytes: (length) => Uint8Array.from({ length }, () => uint32() & 0xff) };
}

export const SERVER_ADDRESS: Address = 'server:1';

export interface Fixture {
  readonly clock: FakeClock;
  readonly network: LoopbackNetwork;
  readonly server: RpcServer;
  readonly pool: RpcPool;
  readonly channel: RpcChannel;
  readonly log: RecordingLog;
  readonly serverBuffers: BufferPool;
  readonly clientBuffers: BufferPool;
}

export async function makeFixture(
  options: { cut?: Cut; limits?: Partial<RpcServerLimits>; register?: (server: RpcServer) => void } = {},
): Promise<Fixture> {
  const clock = new FakeClock();
  const log = new RecordingLog();
  const network = new LoopbackNetwork(clock, options.cut);
  const serverBuffers = new BufferPool();
  const clientBuffers = new BufferPool();
  const server = createRpcServer({ clock, log, limits: options.limits ?? {}, buffers: serverBuffers });
  options.register?.(server);
  await network.listen(SERVER_ADDRESS, (connection) => server.accept(connection));
  const pool = createRpcPool({ clock, random: seededRandom(1), network, log, buffers: clientBuffers });
  return { clock, network, server, pool, channel: pool.channel(SERVER_ADDRESS), log, serverBuffers, clientBuffers };
}
