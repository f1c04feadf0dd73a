import { doesNotThrow, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { type Clock, FsError } from '@cairnfs/base';
import { OUTCOME_OPEN_MS_MAX } from '../limits.ts';
import { OpenOutcome } from './open-outcome.ts';

test('open outcome: a machine that slept asks no more about what was sent before', () => {
  const now = { ms: 5000, wallMs: 1_000_000 };
  const outcome = new OpenOutcome({ nowMs: () => now.ms, wallMs: () => now.wallMs } as Clock);
  outcome.opened(now.ms - 1000, new FsError('CONNECTION_LOST', 'cut'));
  now.ms += 1;
  now.wallMs += OUTCOME_OPEN_MS_MAX - 1000; // its clock stood still
  doesNotThrow(() => outcome.check());
  now.wallMs += 1;
  throws(() => outcome.check(), { kind: 'OUTCOME_EXPIRED' });
});
