/**
 * The states of a chunk at the server that leads it, or wants to (docs/spec/mutations.md). Only `serving` admits mutations;
 * in every other state they wait, or are refused once the lease is on its way out.
 *
 * A state by event table: `stay` changes nothing, `impossible` is a mistake of ours and stops the process.
 */
import { assert } from '@cairnfs/base';

export type LeaseState =
  /** No lease. */
  | 'idle'
  /** AcquireLeases is under way. */
  | 'acquiring'
  /** The lease is here; the view is being installed at every member. */
  | 'installing'
  | 'serving'
  /** A member failed; the master is asked for a view without it. */
  | 'changing'
  /** Idle for long: the last commit point and the lease go back. */
  | 'releasing'
  /** The master wants the lease back: what is in flight finishes, nothing new is admitted. */
  | 'revoking';

export type LeaseEvent =
  | 'mutationArrived'
  /** The master granted the lease, or answered a report with a view that this server leads. */
  | 'granted'
  /** The master did not. */
  | 'refused'
  /** Every member has the view. */
  | 'installed'
  | 'memberFailed'
  | 'idleForLong'
  | 'revoked'
  /** The last commit point is durable everywhere and the lease given back. */
  | 'drained'
  /** A new version was promised here to the master. */
  | 'promised'
  /** Another server brought a view of the chunk. */
  | 'deposed'
  /** The time of the lease is up. */
  | 'expired';

type Outcome = LeaseState | 'stay' | 'impossible';

export const LEASE_TABLE: Record<LeaseState, Record<LeaseEvent, Outcome>> = {
  idle: {
    mutationArrived: 'acquiring',
    granted: 'impossible',
    refused: 'impossible',
    installed: 'impossible',
    memberFailed: 'stay', // an answer that comes after the end
    idleForLong: 'stay',
    revoked: 'stay',
    drained: 'impossible',
    promised: 'stay',
    deposed: 'stay',
    expired: 'stay',
  },
  acquiring: {
    mutationArrived: 'stay',
    granted: 'installing',
    refused: 'idle',
    installed: 'impossible',
    memberFailed: 'stay',
    idleForLong: 'stay',
    revoked: 'idle', // the grant under way is void
    drained: 'impossible',
    promised: 'idle',
    deposed: 'idle',
    expired: 'stay',
  },
  installing: {
    mutationArrived: 'stay',
    granted: 'impossible',
    refused: 'idle', // this server cannot lead the view
    installed: 'serving',
    memberFailed: 'changing',
    idleForLong: 'stay',
    revoked: 'idle',
    drained: 'impossible',
    promised: 'idle',
    deposed: 'idle',
    expired: 'idle',
  },
  serving: {
    mutationArrived: 'stay',
    granted: 'impossible',
    refused: 'impossible',
    installed: 'impossible',
    memberFailed: 'changing',
    idleForLong: 'releasing',
    revoked: 'revoking',
    drained: 'impossible',
    promised: 'idle',
    deposed: 'idle',
    expired: 'idle',
  },
  changing: {
    mutationArrived: 'stay',
    granted: 'installing',
    refused: 'idle',
    installed: 'impossible',
    memberFailed: 'stay', // the next installation shows it again
    idleForLong: 'stay',
    revoked: 'idle',
    drained: 'impossible',
    promised: 'stay', // the view change that was asked for comes by here too
    deposed: 'idle',
    expired: 'stay', // the answer brings a new lease
  },
  releasing: {
    mutationArrived: 'stay', // waits, and takes the lease again
    granted: 'impossible',
    refused: 'impossible',
    installed: 'impossible',
    memberFailed: 'changing',
    idleForLong: 'stay',
    revoked: 'revoking',
    drained: 'idle',
    promised: 'idle',
    deposed: 'idle',
    expired: 'idle',
  },
  revoking: {
    mutationArrived: 'stay',
    granted: 'impossible',
    refused: 'impossible',
    installed: 'impossible',
    memberFailed: 'idle', // the master settles the chunk by a view change
    idleForLong: 'stay',
    revoked: 'stay',
    drained: 'idle',
    promised: 'idle',
    deposed: 'idle',
    expired: 'idle',
  },
};

/** The state after `event`; the same one when nothing changes. */
export function nextLeaseState(state: LeaseState, event: LeaseEvent): LeaseState {
  const outcome = LEASE_TABLE[state][event];
  assert(outcome !== 'impossible', () => `lease ${state}: ${event}`);
  return outcome === 'stay' ? state : outcome;
}
