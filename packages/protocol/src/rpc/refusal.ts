/** Why a server takes a request on no further than to its answer, an error. */
import { FsError } from '@cairnfs/base';
import type { MethodEntry, MethodTable } from './method-table.ts';
import type { RpcServerLimits } from './rpc-server.ts';
import type { ServerCall } from './server-call.ts';
import { served } from './wrong-peer.ts';

/** What all connections of a server have open. */
export interface ServerLoad {
  callCount: number;
  connectionCount(): number;
}

export interface RequestCircumstances {
  readonly server: { readonly limits: RpcServerLimits; readonly load: ServerLoad; readonly methods: MethodTable };
  /** An open call of the connection has this request's id. */
  readonly isIdInUse: boolean;
  /** Another server of the cluster sent it. */
  readonly isOfServer: boolean;
  /** Open on the connection. */
  readonly streamCount: number;
}

export function refusalOf(
  call: ServerCall,
  entry: MethodEntry | undefined,
  { server, isIdInUse, isOfServer, streamCount }: RequestCircumstances,
): FsError | undefined {
  const { limits, load, methods } = server;
  if (entry === undefined) {
    return new FsError('UNKNOWN_METHOD', `method ${call.method} is not served here: the versions may differ`, {
      details: served(methods.served),
    });
  }
  if (isIdInUse) return new FsError('BAD_FRAME', `request id ${call.requestId} is already in use by an open call`);
  if (call.deadlineMs <= call.startedMs) {
    return new FsError('DEADLINE_EXCEEDED', `the request of ${entry.method.name} arrived without time left`);
  }
  // What another server asks for is what calls of clients wait for.
  if (!isOfServer && load.callCount >= limits.callsMax) return tooManyCalls(limits.callsMax);
  if (entry.stream !== undefined && streamCount >= limits.openStreamsMax) {
    return new FsError('OVERLOADED', `${streamCount} streams are open on this connection: end some, or wait`);
  }
  return undefined;
}

export function tooManyCalls(callsMax: number): FsError {
  return new FsError('OVERLOADED', `${callsMax} calls are under way at this server, the most it takes: try again`);
}
