/** What mutations and views need of the chunkserver around them. */
import type { Clock, FsError, Log } from '@cairnfs/base';
import type { RpcChannel, RpcPool } from '@cairnfs/protocol';
import type { Absences } from '../view/absences.ts';
import type { MutableReplicas } from './replica-port.ts';

export interface MutationContext {
  readonly clock: Clock;
  readonly log: Log;
  readonly replicas: MutableReplicas;
  /** Chunks that have no replica here, as the master was told. */
  readonly absences: Absences;
  readonly peers: RpcPool;
  readonly master: Pick<RpcChannel, 'call'>;
  /** 0 before the first registration. */
  serverId(): number;
  /** The session the master knows this process by; 0 before it registered. */
  session(): number;
  /** The cluster's chunk size; the largest there may be before the first registration. */
  chunkBytes(): number;
  /** Counted from when a request was sent. */
  chunkLeaseMs(): number;
  /** A replica of the chunk may be here that cannot be seen: a disk is out of service, or an entry cannot be read. */
  mayHide(handle: string): boolean;
  /** No disk of the server was ever given up: what is not here now never was, unless it was ordered away. */
  isWhole(): boolean;
  /** The server lease (docs/protocol.md, "A server's right to serve"). */
  mayServe(): boolean;
  /** How much longer it may; not above 0 when it may not. */
  serverLeaseLeftMs(): number;
  /** The refusal when it may not: LEASE_EXPIRED. */
  mayNotServe(): FsError;
}
