import { doesNotThrow, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { type Clock, FsError, momentOf } from '@cairnfs/base';
import { OUTCOME_OPEN_MS_MAX } from '../limits.ts';
import { OpenOutcome } from './open-outcome.ts';

const CUT = new FsError('CONNECTION_LOST', 'cut');

test('open outcome: a machine that slept asks no more about what was sent before', () => {
  const now = { ms: 5000, wallMs: 1_000_000 };
  const clock = { nowMs: () => now.ms, wallMs: () => now.wallMs } as Clock;
  const outcome = new OpenOutcome(clock);
  const sent = momentOf(clock);
  now.ms += 1000;
  now.wallMs += 1000;
  outcome.opened(sent, CUT);
  now.ms += 1;
  now.wallMs += OUTCOME_OPEN_MS_MAX - 1000; // its clock stood still
  doesNotThrow(() => outcome.check());
  now.wallMs += 1;
  throws(() => outcome.check(), { kind: 'OUTCOME_EXPIRED' });
});

test('open outcome: sleep between what was sent and its failure counts', () => {
  const now = { ms: 5000, wallMs: 1_000_000 };
  const clock = { nowMs: () => now.ms, wallMs: () => now.wallMs } as Clock;
  const outcome = new OpenOutcome(clock);
  const sent = momentOf(clock);
  now.wallMs += OUTCOME_OPEN_MS_MAX + 1;
  outcome.opened(sent, CUT);
  throws(() => outcome.check(), { kind: 'OUTCOME_EXPIRED' });
});
