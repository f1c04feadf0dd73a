/** The defects that the simulator is put to the test with: one promise broken by each, in as few characters as possible. */
import type { Mutant } from './mutant.ts';

const STORAGE = 'packages/storage/src';
const MASTER = 'packages/master/src';
const CHUNKSERVER = 'packages/chunkserver/src';

export const MUTANTS: readonly Mutant[] = [
  // ---- Load ----
  {
    name: 'bad-copies-not-scanned',
    defect: 'repair looks for a copy that is known to be bad only once',
    profile: 'load',
    edits: [{ file: `${MASTER}/policy/repair-scans.ts`, from: '      () => this.#scanBad(),\n', to: '' }],
  },
  // ---- Durability ----
  {
    name: 'journal-without-sync',
    defect: 'the journal says durable without fdatasync',
    profile: 'power',
    edits: [{ file: `${STORAGE}/journal.ts`, from: 'await batch.segment.file.sync();', to: '' }],
  },
  {
    name: 'journal-tail-not-cut',
    defect: 'recovery leaves a torn tail behind the records it kept',
    profile: 'power',
    edits: [{ file: `${STORAGE}/journal-recovery.ts`, from: 'await file.truncate(scan.end);', to: '' }],
  },
  {
    name: 'journal-cut-without-sync',
    defect: 'recovery cuts a torn tail in memory only',
    profile: 'power',
    edits: [
      {
        file: `${STORAGE}/journal-recovery.ts`,
        from: 'await file.truncate(scan.end);\n      await file.sync();',
        to: 'await file.truncate(scan.end);',
      },
    ],
  },
  {
    name: 'torn-record-replayed',
    defect: 'recovery takes a record whose checksum does not match',
    profile: 'power',
    edits: [
      {
        file: `${STORAGE}/record-format.ts`,
        from: 'if (crc32c(covered, seal.checksum) !== checksum) return undefined;',
        to: '',
      },
    ],
  },
  {
    name: 'segment-dropped-before-flush',
    defect: 'a journal segment goes before the state that holds its records is flushed',
    profile: 'power',
    edits: [{ file: `${STORAGE}/ledger.ts`, from: 'await this.#store.flushed();', to: '' }],
  },
  {
    name: 'master-answers-before-durable',
    defect: 'a namespace change is acknowledged before its record is durable',
    profile: 'power',
    edits: [
      { file: `${MASTER}/decisions.ts`, from: 'await this.#untilDurable(decided.sequence);\n    if (', to: 'if (' },
    ],
  },
  {
    name: 'staged-before-durable',
    defect: 'a secondary is READY before its journal is',
    profile: 'power',
    edits: [
      {
        file: `${CHUNKSERVER}/mutation/secondary.ts`,
        from: 'waiting.staging.push({ request, settle });',
        to: 'settle();',
      },
      {
        file: `${CHUNKSERVER}/mutation/secondary.ts`,
        from: 'resolve({ message: { stagedSequence: log.durableSequence } });',
        to: 'resolve({ message: { stagedSequence: log.stagedSequence } });',
      },
    ],
  },
  {
    name: 'upload-without-sync',
    defect: 'bulk data of an upload counts as durable without fdatasync',
    profile: 'power',
    edits: [{ file: `${CHUNKSERVER}/upload/upload.ts`, from: 'await file.sync();', to: '' }],
  },
  {
    name: 'upload-confirmed-in-memory',
    defect: 'an upload is confirmed before the record that makes its file is durable',
    profile: 'power',
    edits: [
      {
        file: `${MASTER}/upload/upload-calls.ts`,
        from: "decisions.perform('confirmUpload'",
        to: "decisions.propose('confirmUpload'",
      },
    ],
  },
  {
    name: 'settled-without-sync',
    defect: 'mutations count as in place before the chunk file is synced',
    profile: 'power',
    edits: [
      {
        file: `${CHUNKSERVER}/store/settle.ts`,
        from: 'await place(file, batch);\n      await file.sync();',
        to: 'await place(file, batch);',
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
      { file: `${MASTER}/views/view-change.ts`, from: 'await this.#context.seams.clock.sleep(waitMs);', to: 'break;' },
      // With the usual patience the lease has run out by then.
      {
        file: `${MASTER}/views/view-change.ts`,
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
        from: 'throw notFound(handle, { ...absence, ...primaries.ledTo(handle, oldVersion) });',
        to: 'return { message: { stagedSequence: 0, committedSequence: 0, committedLength: 0, stagedLength: 0, lengthsAfter: [], hasLed: (absence.hidden ?? 0) > 1, installedVersion: oldVersion } };',
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
        from: 'return this.#clock.nowMs() < this.#untilMs;',
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
        file: `${CHUNKSERVER}/serve/server-lease.ts`,
        from: 'Math.max(this.#untilMs, sentAtMs + leaseMs)',
        to: 'Math.max(this.#untilMs, sentAtMs, this.#clock.nowMs() + leaseMs)',
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
        from: 'if (!isAll && !isEnough) return true;',
        to: '',
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
        file: `${MASTER}/views/view-change.ts`,
        from: "if (!('reply' in prepared) || endsAs(chunk, prepared.reply)) return prepared;",
        to: 'if (true as boolean) return prepared;\n    if (!("reply" in prepared)) return prepared;',
      },
      {
        file: `${MASTER}/views/view-change.ts`,
        from: 'staying.map((prepared) => checkHoldings(handle, known, prepared))',
        to: 'staying.map((prepared) => (prepared.member === wish.joining ? prepared : checkHoldings(handle, known, prepared)))',
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
];
