/** What every call takes, and the seams the SDK stands on. */
import type { AllocatePages, Clock, FsError, Log, Network, Random } from '@cairnfs/base';

export interface ClientSeams {
  readonly clock: Clock;
  readonly random: Random;
  readonly network: Network;
  readonly log: Log;
  /** As of `Seams`. */
  readonly allocatePages?: AllocatePages;
}

export interface ClientOptions {
  /** `host:port` of the masters; tried in turn. */
  readonly masters: readonly string[];
  /** How long a call goes on trying, when it does not say otherwise. @default {60000} */
  readonly timeoutMs?: number;
  /** Told of every failure after which a call goes on trying; it must not throw. */
  readonly onRetry?: (retry: Retry) => void;
}

/** A call that failed and goes on trying. */
export interface Retry {
  readonly reason: FsError;
  /** Since the call, or the piece of it that is tried again, began. */
  readonly triedMs: number;
}

export interface CallOptions {
  /** Gives up with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** How long the call goes on trying through failures of servers; where it moves bytes of any length, with each piece. */
  readonly timeoutMs?: number;
}
