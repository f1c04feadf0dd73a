/** What every call takes, and the seams the SDK stands on. */
import type { Clock, Log, Network, Random } from '@cairnfs/base';

export interface ClientSeams {
  readonly clock: Clock;
  readonly random: Random;
  readonly network: Network;
  readonly log: Log;
}

export interface ClientOptions {
  /** `host:port` of the masters; tried in turn. */
  readonly masters: readonly string[];
  /** How long a call goes on trying, when it does not say otherwise. @default {60000} */
  readonly timeoutMs?: number;
}

export interface CallOptions {
  /** Gives up with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** How long the call goes on trying through failures of servers; where it moves bytes of any length, with each piece. */
  readonly timeoutMs?: number;
}
