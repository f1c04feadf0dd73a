/** What is said to be durable and is not. */
import type { Mutant } from './mutant.ts';

const STORAGE = 'packages/storage/src';
const MASTER = 'packages/master/src';
const CHUNKSERVER = 'packages/chunkserver/src';

export const DURABILITY_MUTANTS: readonly Mutant[] = [
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
    name: 'damage-taken-for-torn',
    defect: 'recovery cuts off what follows a broken record, though that was durable',
    profile: 'rot',
    edits: [
      {
        file: `${STORAGE}/journal-recovery.ts`,
        from: 'if (isTorn) checkNoLaterRecord({ bytes, seal, path }, walk.end, missing);',
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
  {
    name: 'refusal-before-durable',
    defect: 'a refusal tells of names whose record is not durable yet',
    profile: 'hang',
    seed: 77_044,
    edits: [
      {
        file: `${MASTER}/decisions.ts`,
        from: 'if (settled === undefined) throw refusal;',
        to: 'if (settled === undefined || transaction.readSequence >= 0) throw refusal;',
      },
    ],
  },
  {
    name: 'promise-before-durable',
    defect: 'a promise counts before its record is durable',
    profile: 'words',
    edits: [
      {
        file: `${CHUNKSERVER}/view/view-control.ts`,
        from: 'await new Promise<void>((durable, failed) => replica.journalPromise(durable, failed));',
        to: 'replica.journalPromise(() => {}, () => {});',
      },
    ],
  },
  {
    name: 'open-before-durable',
    defect: 'nobody waits for the record of a chunk that is opened',
    profile: 'words',
    edits: [
      {
        file: `${MASTER}/namespace/open-extent.ts`,
        from: "await decisions.perform('openExtent'",
        to: "await decisions.propose('openExtent'",
      },
      { file: `${MASTER}/namespace/open-extent.ts`, from: 'await decisions.settled(transaction);', to: '' },
      {
        file: `${MASTER}/views/cluster-views.ts`,
        from: "await decisions.perform('chunkOpened'",
        to: "await decisions.propose('chunkOpened'",
      },
      {
        file: `${MASTER}/views/lease-calls.ts`,
        from: 'await this.#context.decisions.settled(transaction);\n    return { message: { granted } };',
        to: 'return { message: { granted } };',
      },
    ],
  },
];
