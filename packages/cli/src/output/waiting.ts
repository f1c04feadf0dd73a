/** A word to whoever waits: a master that does not answer is tried again for as long as `--timeout` allows. */

import { isFsError } from '@cairnfs/base';
import type { CairnClient } from '@cairnfs/client/node';
import { formatDuration } from './units.ts';

/** A command that takes longer than this asks once whether the master answers at all. */
const ASK_AFTER_MS = 2000;
const ASK_TIMEOUT_MS = 1500;

/** Answers how to end it. */
export function tellWhenMasterIsSilent(
  client: Pick<CairnClient, 'clusterStatus'>,
  timeoutMs: number,
  tell: (line: string) => void,
  askAfterMs = ASK_AFTER_MS,
): () => void {
  const ended = new AbortController();
  const timer = setTimeout(() => {
    const say = (why: string) => {
      if (!ended.signal.aborted) tell(`cairn: ${why}; trying for ${formatDuration(timeoutMs)} in all (--timeout)\n`);
    };
    client.clusterStatus({ timeoutMs: ASK_TIMEOUT_MS, signal: ended.signal }).then(
      ({ writable, safeMode, safeModeReason }) => {
        if (safeMode) say(`the master is in safe mode (${safeModeReason}): what writes must wait`);
        else if (!writable) say('too few chunkservers for the minimum of copies: what writes must wait');
      },
      (error: unknown) => {
        if (!isFsError(error, 'CONNECTION_REFUSED', 'NAME_UNRESOLVED')) return;
        say(error.cause instanceof Error ? error.cause.message : error.message);
      },
    );
  }, askAfterMs);
  return () => {
    clearTimeout(timer);
    ended.abort();
  };
}
