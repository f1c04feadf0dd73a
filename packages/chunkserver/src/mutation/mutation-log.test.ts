import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFsError } from '@cairnfs/base';
import { MutationLog, type StagedMutation } from './mutation-log.ts';

const stale = (error: unknown) => isFsError(error, 'STALE_VERSION');

function logWith(staged: number, version = 3): MutationLog {
  const log = new MutationLog('chunk', {
    ...{ version, term: 1, promisedVersion: version, isRemoved: false, keptVersion: 0, isLearner: false },
    ...{ isSealed: false, committedSequence: 0, committedLength: 0, staged: [] },
  });
  for (let sequence = 1; sequence <= staged; sequence += 1) log.markDurable(stage(log));
  return log;
}

function stage(log: MutationLog): StagedMutation {
  const offset = log.stagedLength;
  const mutation: StagedMutation = {
    ...{ sequence: log.stagedSequence + 1, offset, bytes: new Uint8Array(10), checksum: 0, isAppend: true },
    ...{ operation: undefined, lengthAfter: offset + 10, isDurable: false, isGone: false },
  };
  log.stage(mutation);
  return mutation;
}

type MutationState = 'staging' | 'staged' | 'committed' | 'dropped';
type MutationEvent = 'durable' | 'commitPoint' | 'viewBelow' | 'viewAtIt' | 'promise' | 'fence';

/** What becomes of the last of two mutations; `refused`: the event is one that cannot happen to it. */
const OUTCOMES: Record<'staging' | 'staged', Record<MutationEvent, MutationState | 'refused'>> = {
  staging: {
    ...{ durable: 'staged', commitPoint: 'refused', viewBelow: 'dropped', viewAtIt: 'refused' },
    ...{ promise: 'staging', fence: 'staging' },
  },
  staged: {
    ...{ durable: 'refused', commitPoint: 'committed', viewBelow: 'dropped', viewAtIt: 'committed' },
    ...{ promise: 'staged', fence: 'staged' },
  },
};

const EVENTS: Record<MutationEvent, (log: MutationLog, mutation: StagedMutation) => void> = {
  durable: (log, mutation) => log.markDurable(mutation),
  commitPoint: (log) => void log.commit(2),
  viewBelow: (log) => void log.install({ version: 4, term: 1, base: 1 }),
  viewAtIt: (log) => void log.install({ version: 4, term: 1, base: 2 }),
  promise: (log) => void log.promise({ oldVersion: 3, newVersion: 4, removed: false }),
  fence: (log) => void log.fence(3, 2),
};

function stateOf(log: MutationLog, mutation: StagedMutation): MutationState {
  if (log.find(2) === mutation) return log.durableSequence >= 2 ? 'staged' : 'staging';
  return log.committedSequence >= 2 ? 'committed' : 'dropped';
}

test('mutation log: every state of a mutation and every event has the outcome of the table', () => {
  for (const [state, outcomes] of Object.entries(OUTCOMES)) {
    for (const [event, outcome] of Object.entries(outcomes)) {
      const log = logWith(1);
      const mutation = stage(log);
      if (state === 'staged') log.markDurable(mutation);
      const run = () => EVENTS[event as MutationEvent](log, mutation);
      if (outcome === 'refused') assert.throws(run, `${state}: ${event}`);
      else {
        run();
        assert.equal(stateOf(log, mutation), outcome, `${state}: ${event}`);
      }
    }
  }
});

test('mutation log: a promise refuses the version it leaves and never goes back', () => {
  const log = logWith(2);
  assert.ok(log.promise({ oldVersion: 3, newVersion: 5, removed: false }));
  assert.ok(!log.promise({ oldVersion: 3, newVersion: 5, removed: false }));
  assert.throws(() => log.checkVersion(3), stale);
  assert.throws(() => log.promise({ oldVersion: 3, newVersion: 4, removed: false }), stale);
  assert.throws(() => log.install({ version: 4, term: 1, base: 2 }), stale);
});

test('mutation log: a removed replica takes no part in the view that left it out', () => {
  const log = logWith(2);
  log.promise({ oldVersion: 3, newVersion: 4, removed: true });
  assert.throws(() => log.install({ version: 4, term: 1, base: 2 }), stale);
});

test('mutation log: an earlier term of the same version comes too late', () => {
  const log = logWith(2);
  log.fence(3, 2);
  assert.throws(() => log.checkTerm(3, 1), stale);
  assert.throws(() => log.fence(3, 1), stale);
});

test('mutation log: a view that comes twice drops nothing of what was staged since', () => {
  const log = logWith(2);
  log.install({ version: 4, term: 1, base: 2 });
  log.markDurable(stage(log));
  assert.deepEqual(log.install({ version: 4, term: 1, base: 2 }), { committed: [], dropped: [] });
  assert.equal(log.stagedSequence, 3);
});

test('mutation log: a replica that lacks part of the base does not take the view', () => {
  const log = logWith(2);
  assert.throws(() => log.install({ version: 4, term: 1, base: 3 }), stale);
});

test('mutation log: a view whose base lies below what is committed here is refused', () => {
  const log = logWith(2);
  log.commit(2);
  assert.throws(
    () => log.install({ version: 4, term: 1, base: 1 }),
    (error) => isFsError(error, 'DAMAGED'),
  );
});

test('mutation log: the zeros that a staged write skips are as uncommitted as its bytes', () => {
  const log = logWith(1);
  log.commit(1);
  const mutation = { ...{ sequence: 2, offset: 100, bytes: new Uint8Array(4), checksum: 0, isAppend: false } };
  log.stage({ ...mutation, operation: undefined, lengthAfter: 104, isDurable: false, isGone: false });
  assert.equal(log.isDirty(0, 10), false);
  assert.equal(log.isDirty(10, 50), true);
  assert.equal(log.isDirty(104, 200), false);
});

test('mutation log: a replica that promised to leave a version is in sync with no later one, but may come back before', () => {
  const log = logWith(1);
  log.promise({ oldVersion: 3, newVersion: 4, removed: true });
  assert.throws(() => log.promise({ oldVersion: 4, newVersion: 5, removed: false }), stale);
  assert.ok(log.promise({ oldVersion: 3, newVersion: 5, removed: false })); // version 4 was never confirmed
  assert.ok(log.promise({ oldVersion: 5, newVersion: 6, removed: false }));
});

test('mutation log: a replica that promised to stay in a version does not leave it, by a message that was late', () => {
  const log = logWith(1);
  log.promise({ oldVersion: 3, newVersion: 4, removed: false });
  assert.throws(() => log.promise({ oldVersion: 3, newVersion: 4, removed: true }), stale);
  assert.equal(log.isRemoved, false);
  assert.ok(log.promise({ oldVersion: 4, newVersion: 5, removed: true }));
  // A copy that nobody counted on yet left all versions known, and joins the last.
  assert.ok(log.promise({ oldVersion: 4, newVersion: 5, removed: false }));
});

test('mutation log: a replica that left knows the last version it was in sync at', () => {
  const log = logWith(1);
  assert.equal(log.keptVersion, 3);
  log.promise({ oldVersion: 3, newVersion: 4, removed: false });
  assert.equal(log.keptVersion, 4, 'the promise to stay counts');
  log.promise({ oldVersion: 4, newVersion: 6, removed: true });
  log.promise({ oldVersion: 4, newVersion: 8, removed: true });
  assert.equal(log.keptVersion, 4);
  assert.throws(() => log.promise({ oldVersion: 5, newVersion: 9, removed: false }), stale);
  assert.ok(log.promise({ oldVersion: 4, newVersion: 9, removed: false }));
  assert.equal(log.keptVersion, 9);
});

test('mutation log: a replica that is to leave need not be in sync, one that is to stay must be', () => {
  const log = logWith(1);
  assert.throws(() => log.promise({ oldVersion: 5, newVersion: 6, removed: false }), stale);
  log.checkVersion(3);
  assert.ok(log.promise({ oldVersion: 5, newVersion: 6, removed: true }));
  assert.throws(() => log.checkVersion(3), stale);
  assert.equal(log.keptVersion, 3);
});

test('mutation log: a copy answers nothing before it has promised a version that it belongs to', () => {
  const learner = () =>
    new MutationLog('chunk', {
      ...{ version: 3, term: 0, promisedVersion: 3, isRemoved: false, keptVersion: 0, isLearner: true },
      ...{ isSealed: false, committedSequence: 0, committedLength: 10, staged: [] },
    });
  const log = learner();
  assert.throws(() => log.checkVersion(3), stale);
  assert.throws(() => log.fence(3, 1), stale);
  assert.throws(() => log.install({ version: 3, term: 1, base: 0 }), stale);
  assert.throws(() => log.install({ version: 4, term: 1, base: 0 }), stale);
  assert.equal(log.isLearner, true);
  assert.throws(() => log.promise({ oldVersion: 4, newVersion: 5, removed: false }), stale);
  log.promise({ oldVersion: 3, newVersion: 4, removed: false });
  assert.throws(() => log.checkVersion(3), stale);
  log.install({ version: 4, term: 1, base: 0 });
  log.checkVersion(4);
  const left = learner();
  left.promise({ oldVersion: 3, newVersion: 4, removed: true });
  assert.equal(left.keptVersion, 3, 'it may be taken back');
});
