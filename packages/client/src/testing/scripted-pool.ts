/** Servers that answer as a test says: a pool whose channels run a script instead of a connection. */
import { type Clock, crc32c, FsError, type Log, type Network, type Random } from '@cairnfs/base';
import {
  type CallOptions,
  type Method,
  PooledBytes,
  type Reply,
  type RpcChannel,
  type RpcPool,
} from '@cairnfs/protocol';
import { MasterCalls } from '../call/master-calls.ts';
import type { ClientOptions, ClientSeams } from '../options.ts';

export interface ScriptedCall {
  readonly address: string;
  readonly method: string;
  readonly request: Record<string, unknown>;
  readonly options: CallOptions;
}

export type Script = (call: ScriptedCall) => unknown;

/** What a script returns for a reply with raw data. */
export class ScriptedData {
  readonly message: unknown;
  readonly bytes: Uint8Array;
  readonly checksum: number;

  constructor(message: unknown, bytes: Uint8Array, checksum = crc32c(bytes)) {
    this.message = message;
    this.bytes = bytes;
    this.checksum = checksum;
  }
}

/** Answers every call with what the script returns, or fails it with what the script throws. */
export function scriptedPool(script: Script): RpcPool {
  const channel = (address: string): RpcChannel => ({
    address,
    async call<Q, S>(method: Method<Q, S>, request: Q, options: CallOptions): Promise<Reply<S>> {
      const message = await script({
        address,
        method: method.name,
        request: request as Record<string, unknown>,
        options,
      });
      if (!(message instanceof ScriptedData)) return { message: message as S, data: undefined };
      const { bytes, checksum } = message;
      return { message: message.message as S, data: { bytes, checksum, memory: new PooledBytes(bytes) } };
    },
    stream() {
      throw new FsError('UNKNOWN_METHOD', 'no streams in this script');
    },
    close() {},
  });
  return { channel, close() {} };
}

/** Time that passes only while somebody sleeps. */
export function scriptedSeams(): ClientSeams {
  let nowMs = 0;
  const clock: Clock = {
    nowMs: () => nowMs,
    wallMs: () => nowMs,
    after: () => ({ cancel() {} }),
    soon: (callback) => queueMicrotask(callback),
    async sleep(durationMs) {
      nowMs += durationMs;
    },
  };
  let next = 1;
  const random: Random = {
    uint32: () => {
      next = (next * 1_103_515_245 + 12_345) >>> 0;
      return next;
    },
    bytes: (length) => new Uint8Array(length).fill(9),
  };
  const network: Network = {
    connect: () => Promise.reject(new FsError('CONNECTION_REFUSED', 'no network in this script')),
    listen: () => Promise.reject(new FsError('UNAVAILABLE', 'no network in this script')),
  };
  const log: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };
  return { clock, random, network, log };
}

export function scriptedCalls(script: Script, options: Omit<ClientOptions, 'masters'> = {}): MasterCalls {
  return new MasterCalls(scriptedSeams(), scriptedPool(script), { masters: ['m1:1', 'm2:1'], ...options });
}
