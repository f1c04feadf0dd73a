/** Rules of views that are left out (docs/spec/views.md). */
import type { Mutant } from './mutant.ts';

const MASTER = 'packages/master/src';
const CHUNKSERVER = 'packages/chunkserver/src';

export const VIEW_MUTANTS: readonly Mutant[] = [
  {
    name: 'version-not-raised',
    defect: 'a view change keeps the version',
    edits: [
      {
        file: `${MASTER}/views/view-change.ts`,
        from: 'const version = chunk.highestVersion + 1;',
        to: 'const version = Math.max(chunk.highestVersion, 1);',
      },
    ],
  },
  {
    name: 'departed-not-awaited',
    defect: 'a view changes without waiting for the lease of a member that cannot be told',
    profile: 'kept',
    edits: [
      { file: `${MASTER}/views/member-calls.ts`, from: 'await this.#context.seams.clock.sleep(waitMs);', to: 'break;' },
      // With the usual patience the lease has run out by then.
      {
        file: `${MASTER}/views/member-calls.ts`,
        from: 'timeoutMs: CHUNKSERVER_CALL_TIMEOUT_MS,',
        to: 'timeoutMs: 300,',
      },
    ],
  },
  {
    name: 'base-too-high',
    defect: 'a new view begins at the most that a member has, not the least',
    profile: 'contended',
    edits: [
      {
        file: `${MASTER}/views/holdings.ts`,
        from: 'const least = Math.min(...replies',
        to: 'const least = Math.max(...replies',
      },
    ],
  },
  {
    name: 'loss-not-noticed',
    defect: 'a member that lost its replica counts in the next view, as one that never held anything',
    profile: 'disks',
    edits: [
      {
        file: `${CHUNKSERVER}/view/view-control.ts`,
        from: 'throw notFound(handle, { ...absenceOf(context, handle, disk), ...primaries.ledTo(handle, oldVersion) });',
        to: 'return { message: { stagedSequence: 0, committedSequence: 0, committedLength: 0, stagedLength: 0, lengthsAfter: [], hasLed: false && absenceOf(context, handle, disk) !== undefined, installedVersion: oldVersion } };',
      },
      // It would find it.
      {
        file: `${MASTER}/views/holdings.ts`,
        from: 'if (!isBehind) return prepared;',
        to: 'if (!isBehind || isBehind) return prepared;',
      },
    ],
  },
  {
    name: 'stale-replica-counted',
    defect: 'an old copy beside the members is taken back as if it held the chunk',
    profile: 'crashes',
    edits: [
      {
        file: `${MASTER}/views/spare-copy.ts`,
        from: 'if (inSyncAt >= settledVersion) return',
        to: 'if (inSyncAt >= 0) return',
      },
      // Each of these would find it.
      {
        file: `${MASTER}/views/member-calls.ts`,
        from: "if (!('reply' in prepared) || endsAs(chunk, prepared.reply)) return prepared;",
        to: 'if (true as boolean) return prepared;\n    if (!("reply" in prepared)) return prepared;',
      },
      {
        file: `${MASTER}/views/answers.ts`,
        from: 'staying.map((prepared) => checkHoldings(handle, known, prepared))',
        to: 'staying.map((prepared) => (prepared.member === rejoining ? prepared : checkHoldings(handle, known, prepared)))',
      },
    ],
  },
  {
    name: 'promise-not-kept',
    defect: 'a replica goes on under the version that it promised to leave behind',
    profile: 'contended',
    edits: [
      {
        file: `${CHUNKSERVER}/mutation/mutation-log.ts`,
        from: 'if (version === this.#version && this.#promisedVersion === version && !this.#isLearner) return;',
        to: 'if (version === this.#version && !this.#isLearner) return;',
      },
    ],
  },
  {
    name: 'missed-views-not-told',
    defect: 'a server comes back without hearing of the views that changed without it',
    profile: 'kept',
    edits: [
      {
        file: `${MASTER}/cluster/registration.ts`,
        from: 'if (returning !== undefined && !isUnnumbered) await this.#departures.settle(returning.id, address);',
        to: '',
      },
      {
        file: `${MASTER}/cluster/registration.ts`,
        from: 'if (!isUnnumbered) this.#departures.checkSettled(known.id);',
        to: '',
      },
    ],
  },
  {
    name: 'lease-before-promises',
    defect: 'a server that missed views has its lease before all that it holds was compared',
    profile: 'returns',
    edits: [
      {
        file: `${MASTER}/cluster/registration.ts`,
        from: 'const mayServe = !hasMissed || number === undefined || !this.#departures.isUnlisted(number);',
        to: 'const mayServe = true;',
      },
    ],
  },
  {
    name: 'small-view-ends-below-its-primary',
    defect: 'a view below the minimum ends where the log last knew the end, not at what its primary committed',
    profile: 'few',
    edits: [
      {
        file: `${MASTER}/views/view-change.ts`,
        from: 'said.some(({ hasLed }) => hasLed) ? known : undefined;',
        to: 'said.some(({ hasLed }) => hasLed) ? { sequence: current.sequence, length: current.length } : undefined;',
      },
    ],
  },
  {
    name: 'led-said-by-anyone',
    defect: 'a view below the minimum ends at what a member committed that has not led it since its start',
    profile: 'few',
    edits: [
      {
        file: `${CHUNKSERVER}/view/view-control.ts`,
        from: 'hasLed: log.ledVersion === oldVersion,',
        to: 'hasLed: true,',
      },
    ],
  },
  {
    name: 'full-chunk-goes-on',
    defect: 'a chunk with a member that has no room does not end',
    profile: 'full',
    edits: [
      {
        file: `${MASTER}/views/lease-calls.ts`,
        from: '{ without: silent, ends: true }',
        to: '{ without: silent, ends: false }',
      },
    ],
  },
  {
    name: 'full-member-left-out',
    defect: 'a member without room leaves the view like one that failed',
    profile: 'full',
    edits: [
      {
        file: `${MASTER}/views/lease-calls.ts`,
        from: 'if (ending.length > 0 && !chunk.sealed)',
        to: 'if (ending.length > chunk.members.length && !chunk.sealed)',
      },
    ],
  },
  {
    name: 'number-never-told',
    defect: 'a server that was never told its number has to answer for it',
    profile: 'newcomers',
    edits: [
      {
        file: `${MASTER}/cluster/registration.ts`,
        from: 'const isUnnumbered = returning !== undefined && request.serverId === 0;',
        to: 'const isUnnumbered = returning !== undefined && request.serverId < 0;',
      },
    ],
  },
  {
    name: 'learner-answers',
    defect: 'a clone answers under the version it was made at before it has joined',
    profile: 'copies',
    edits: [{ file: `${CHUNKSERVER}/store/apply.ts`, from: 'isLearner: true,', to: 'isLearner: false,' }],
  },
  {
    name: 'shown-before-it-joins',
    defect: 'a server joins though it has shown anew what it holds since it promised, perhaps without the copy',
    profile: 'copies',
    seed: 173001885,
    edits: [
      {
        file: `${MASTER}/views/view-change.ts`,
        from: 'if (shownAtMs < askedAtMs) return;',
        to: 'if (shownAtMs > 0) return;',
      },
    ],
  },
  {
    name: 'absence-forgotten',
    defect: 'a server without a replica does not remember for which version it was asked',
    profile: 'stragglers',
    edits: [
      { file: `${CHUNKSERVER}/view/view-control.ts`, from: 'context.absences.note(handle, newVersion);', to: '' },
    ],
  },
  {
    name: 'empty-without-proof',
    defect: 'members without a replica count as empty, though those that are not heard may hold everything',
    profile: 'outages',
    edits: [{ file: `${MASTER}/views/answers.ts`, from: 'isProven && untouched && error', to: 'untouched && error' }],
  },
  {
    name: 'loss-leaves-no-mark',
    defect: 'a server that left without its replica comes back as one that missed nothing',
    profile: 'outages',
    edits: [
      {
        file: `${MASTER}/views/view-change.ts`,
        from: 'for (const { member } of mayReturn) this.#departures.confirmLost(transaction, member);',
        to: '',
      },
    ],
  },
  {
    name: 'word-of-an-earlier-session',
    defect: 'a server that said that it has no replica may have it again when the view is confirmed',
    profile: 'outages',
    edits: [
      {
        file: `${MASTER}/views/view-change.ts`,
        from: 'if (absent.some(({ member, session }) => this.#servers.get(member)?.session !== session)) return undefined;',
        to: 'if (absent.length < 0) return undefined;',
      },
    ],
  },
];
