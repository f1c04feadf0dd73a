/**
 * An acknowledged mutation that is asked for again is known, wherever (docs/protocol.md, "Exactly once"): every copy answers
 * with the first result, or that it is forgotten. One that does not know it would apply it twice as the next primary.
 */
import type { ErrorCode } from '@cairnfs/base';
import type { Violation } from './violation.ts';

export interface RetriedMutation {
  readonly chunk: string;
  readonly server: string;
  /** Of the operation, at its client. */
  readonly number: number;
  /** Where the first try went, in the chunk. */
  readonly offset: number;
  /** `applied`: once more. */
  readonly answer: { readonly offset: number } | 'applied' | ErrorCode;
}

/** What a copy says that has nothing to say, or knows that it has forgotten. */
const SAYS_NOTHING: ReadonlySet<string> = new Set([
  'OUTCOME_EXPIRED',
  'STALE_VERSION',
  'CHUNK_NOT_FOUND',
  'UNAVAILABLE',
  'OVERLOADED',
  'LEASE_EXPIRED',
  'DISK_FAILED',
]);

export function checkRetries(retried: readonly RetriedMutation[]): Violation[] {
  return retried.flatMap(({ chunk, server, number, offset, answer }) => {
    const isKnown = typeof answer === 'object' ? answer.offset === offset : SAYS_NOTHING.has(answer);
    if (isKnown) return [];
    const said = typeof answer === 'object' ? `that it is at ${answer.offset}` : answer;
    const summary = `chunk ${chunk}: ${server} does not know operation ${number}, acknowledged at ${offset}: it answers ${said}`;
    return [{ check: 'retries', summary, details: summary }];
  });
}
