/** The defects that the simulator is put to the test with: one promise broken by each, in as few characters as possible. */
import { DURABILITY_MUTANTS } from './durability-mutants.ts';
import type { Mutant } from './mutant.ts';
import { VIEW_MUTANTS } from './view-mutants.ts';

const STORAGE = 'packages/storage/src';
const MASTER = 'packages/master/src';
const CHUNKSERVER = 'packages/chunkserver/src';

export const MUTANTS: readonly Mutant[] = [
  ...DURABILITY_MUTANTS,
  ...VIEW_MUTANTS,

  // ---- Load ----
  {
    name: 'bad-copies-not-scanned',
    defect: 'repair looks for a copy that is known to be bad only once',
    profile: 'load',
    edits: [{ file: `${MASTER}/policy/repair-scans.ts`, from: '      () => this.#scanBad(),\n', to: '' }],
  },
  {
    name: 'needy-chunk-waits',
    defect: 'a chunk with one copy takes the place of no other in a full queue of repair',
    profile: 'load',
    seed: 9_210_032,
    edits: [
      {
        file: `${MASTER}/policy/repair-queue.ts`,
        from: 'if (leastNeedy === undefined || this.#copies.get(leastNeedy)! <= copies) return;',
        to: 'if (leastNeedy === undefined || this.#copies.get(leastNeedy)! >= 0) return;',
      },
    ],
  },

  // ---- Garbage ----
  {
    name: 'garbage-of-a-lost-promise',
    defect: 'a member that promised more than the log knows keeps its copy of a deleted chunk',
    profile: 'hang',
    seed: 78_001,
    edits: [
      {
        file: `${MASTER}/policy/garbage.ts`,
        from: 'const versionAtMost = chunk!.highestVersion + 1;',
        to: 'const versionAtMost = chunk!.highestVersion;',
      },
    ],
  },
  {
    name: 'garbage-waits-for-its-view',
    defect: 'a copy of a deleted chunk stays while a view of it is pending',
    profile: 'disks',
    seed: 7_200_024,
    edits: [
      {
        file: `${MASTER}/cluster/replica-reports.ts`,
        from: 'if (chunk === undefined || chunk.state === ChunkState.CHUNK_STATE_GARBAGE) return false;\n    return chunk.pendingMembers',
        to: 'if (chunk === undefined) return false;\n    return chunk.pendingMembers',
      },
    ],
  },

  // ---- Replication ----
  {
    name: 'commit-on-first-ready',
    defect: 'the primary commits what one member has, not all',
    edits: [
      {
        file: `${CHUNKSERVER}/mutation/primary-term.ts`,
        from: 'ready = Math.min(ready, readySequence);',
        to: 'ready = Math.max(Math.min(ready, readySequence), Math.min(ready, this.#others[0]!.readySequence));',
      },
    ],
  },
  {
    name: 'staged-out-of-order',
    defect: 'a secondary stages whatever comes',
    profile: 'slow',
    edits: [
      {
        file: `${CHUNKSERVER}/mutation/secondary.ts`,
        from: '} else if (sequence === log.stagedSequence + 1) {',
        to: '} else if (sequence > log.stagedSequence) {',
      },
    ],
  },
  {
    name: 'clone-without-operations',
    defect: 'a clone forgets which operations were applied',
    edits: [
      {
        file: `${CHUNKSERVER}/clone/clones.ts`,
        from: 'const table = { operations: entries.map(onWire), clients',
        to: 'const table = { operations: entries.slice(entries.length).map(onWire), clients',
      },
    ],
  },

  // ---- Leases and versions ----
  {
    name: 'server-lease-for-ever',
    defect: 'a chunkserver serves after its lease has ended',
    profile: 'kept',
    edits: [
      {
        file: `${CHUNKSERVER}/serve/server-lease.ts`,
        from: 'return this.#clock.nowMs() < this.#untilMs && this.#clock.wallMs() < this.#untilWallMs;',
        to: 'return this.#untilMs > 0;',
      },
    ],
  },
  {
    name: 'lease-counted-from-the-answer',
    defect: 'a server lease runs from when the answer arrived',
    profile: 'leases',
    edits: [
      {
        file: `${CHUNKSERVER}/control/heartbeat.ts`,
        from: 'lease.renew(sent, session.serverLeaseMs)',
        to: 'lease.renew(momentOf(seams.clock), session.serverLeaseMs)',
      },
    ],
  },
  {
    name: 'run-out-at-once',
    defect: 'the master believes a silent server without a lease before it ended',
    profile: 'kept',
    edits: [
      {
        file: `${MASTER}/cluster/server-table.ts`,
        from: 'return server === undefined || now - server.answeredAtMs > this.#leaseMs;',
        to: 'return server === undefined || now - server.answeredAtMs > this.#leaseMs / 20;',
      },
    ],
  },
  {
    name: 'stale-replica-read',
    defect: 'a replica of an old version is read',
    profile: 'kept',
    edits: [
      {
        file: `${CHUNKSERVER}/read/reads.ts`,
        from: 'if (!installByProof(replica, { version, ...known })) replica.log.checkVersion(version);',
        to: 'installByProof(replica, { version, ...known });',
      },
      {
        file: `${CHUNKSERVER}/read/reads.ts`,
        from: 'replica.log.checkVersion(version);\n      if (replica.isGone)',
        to: 'if (replica.isGone)',
      },
    ],
  },
  {
    name: 'dirty-read',
    defect: 'a secondary serves its own commit point without asking the primary',
    edits: [
      {
        file: `${CHUNKSERVER}/read/reads.ts`,
        from: 'if (commitPoint !== undefined) await commitPoint;',
        to: 'commitPoint?.catch(() => {});',
      },
    ],
  },
  {
    name: 'checksum-unchecked',
    defect: 'a block that does not match its checksum is served',
    edits: [
      {
        file: `${CHUNKSERVER}/store/replica-bytes.ts`,
        from: 'if (corrupt === undefined) {',
        to: 'if (corrupt === undefined || corrupt >= 0) {',
      },
    ],
  },

  // ---- Disks ----
  {
    name: 'hanging-disk-waited-for',
    defect: 'a disk that does not answer is not given up',
    profile: 'hang',
    edits: [
      {
        file: `${STORAGE}/disk-watch.ts`,
        from: 'if (device.tick() <= this.#ticksMax) {',
        to: 'if (device.tick() <= 1000 * this.#ticksMax) {',
      },
    ],
  },

  // ---- Exactly once ----
  {
    name: 'append-applied-twice',
    defect: 'a primary does not know a retried append',
    edits: [
      {
        file: `${CHUNKSERVER}/mutation/operation-table.ts`,
        from: 'if (result !== undefined) return result;',
        to: 'if (result !== undefined && operations.results.delete(number)) return undefined;',
      },
    ],
  },
  {
    name: 'change-applied-twice',
    defect: 'the master does not know a retried change',
    profile: 'names',
    edits: [
      {
        file: `${MASTER}/namespace/operations.ts`,
        from: 'if (number > highestNumber) return undefined;',
        to: 'if (number > highestNumber || number >= forgottenBelow) return undefined;',
      },
    ],
  },

  // ---- The master ----
  {
    name: 'no-safe-mode',
    defect: 'the master acts before the chunkservers reported',
    profile: 'storm',
    edits: [
      {
        file: `${MASTER}/policy/start-safe-mode.ts`,
        from: 'if (!isAll && !isEnough && !isNobodyAwaited) return true;',
        to: '',
      },
    ],
  },
  {
    name: 'truncated-chunk-not-retired',
    defect: 'a truncation leaves the version of the chunks that it cuts',
    profile: 'cut',
    edits: [
      {
        file: `${MASTER}/namespace/truncate.ts`,
        from: 'await this.#views.retire(losing);',
        to: '',
      },
    ],
  },
  {
    name: 'truncation-of-one-inode',
    defect: 'a truncation by path is refused when the file is replaced meanwhile',
    profile: 'contended',
    edits: [
      {
        file: `${MASTER}/namespace/truncate.ts`,
        from: 'if (!mayLeadOn) throw error;',
        to: 'throw error;',
      },
    ],
  },
];
