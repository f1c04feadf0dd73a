/** A word to whoever waits: what fails is tried again for as long as `--timeout` allows. */
import type { Retry } from '@cairnfs/client';
import { printableName } from './listing.ts';
import { formatDuration } from './units.ts';

/** What is through sooner than this is not worth a word. */
const TELL_AFTER_MS = 2000;

/** For `onRetry`: tells what a call waits for, once for each kind of failure. */
export function tellingWhatIsAwaited(timeoutMs: number, tell: (line: string) => void): (retry: Retry) => void {
  const told = new Set<string>();
  return ({ reason, triedMs }) => {
    if (triedMs < TELL_AFTER_MS || told.has(reason.kind)) return;
    told.add(reason.kind);
    tell(`cairn: ${printableName(reason.message)}; trying for ${formatDuration(timeoutMs)} in all (--timeout)\n`);
  };
}
