/**
 * How a command ends: 0 done, 1 failed, 2 wrong usage, 130 interrupted; an error is one line: cause, object, what to do.
 */
import { isFsError } from '@cairnfs/base';

export const EXIT_DONE = 0;
export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;
/** As a shell tells of a command that Ctrl-C ended. */
export const EXIT_INTERRUPTED = 130;

/** What the caller typed cannot be meant. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const ADVICE: Readonly<Record<string, string>> = {
  CONNECTION_REFUSED: 'is the cluster running? "cairn up" starts one here; --master names another',
  DEADLINE_EXCEEDED: 'try again, or allow more time with --timeout',
  NOT_ENOUGH_SERVERS: '"cairn status" shows which chunkservers are missing',
  NO_SPACE: '"cairn status" shows the space; "cairn rm --skip-trash" frees some',
  SAFE_MODE: '"cairn status" shows what the master waits for',
  NOT_EMPTY: 'add -r to delete it with what it contains',
};

/** The one line that a person reads. */
export function describeFailure(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const oneLine = message.split('\n')[0]!;
  const advice = isFsError(error) ? ADVICE[error.kind] : undefined;
  return advice === undefined ? oneLine : `${oneLine}: ${advice}`;
}

export function exitCodeOf(error: unknown): number {
  return error instanceof UsageError ? EXIT_USAGE : EXIT_FAILED;
}
