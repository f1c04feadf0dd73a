/**
 * Interesting states, and how often a run came by each: told from what its servers log and from what they send each
 * other. A kind of bug hides behind each; a state that no schedule reaches is one the simulator says nothing about.
 */
import {
  ChunkserverControlMethods,
  ChunkserverDataMethods,
  ChunkserverPeerMethods,
  type ErrorDetail,
  MasterControlMethods,
} from '@cairnfs/protocol';
import type { TraceEntry } from '@cairnfs/sim';
import { answers, requestOf, responseOf, type WireFrame, type WireListener } from '../wire/wire-tap.ts';

type Fields = TraceEntry['fields'];

const { prepareView } = ChunkserverControlMethods;

interface LogSign {
  readonly state: string;
  /** Any of these lines shows it. */
  readonly events: readonly string[];
  /** What the line's fields have to be, and who says it. */
  readonly only?: (fields: Fields, entry: TraceEntry) => boolean;
}

const LOG_SIGNS: readonly LogSign[] = [
  { state: 'chunks copied', events: ['info a chunk was copied'] },
  { state: 'copies taken back', events: ['info a copy was taken back'] },
  { state: 'copies that failed', events: ['warn a chunk could not be copied'] },
  { state: 'corrupt blocks found', events: ['error corrupt block'] },
  // At a start, by the master or for a disk of a chunkserver, which does not start either when it was the only one.
  {
    state: 'damaged journals refused',
    events: ['start failed', 'error disk not in service'],
    only: ({ error }, { host, event }) =>
      String(error).includes('The journal is damaged in ') && (host === 'master') === (event === 'start failed'),
  },
  { state: 'disks failed', events: ['error disk failed', 'error ledger failed'] },
  { state: 'members reported failed', events: ['warn members of a view failed'] },
  // Servers that started on a journal with records that their state did not hold yet.
  { state: 'recoveries', events: ['info ledger opened'], only: ({ replayed }) => Number(replayed) > 0 },
  { state: 'replicas quarantined', events: ['info replica moved to quarantine'] },
  { state: 'servers readmitted', events: ['info a server that missed changes of views may serve again'] },
  { state: 'safe-mode periods', events: ['info safe mode is over'] },
  // Records behind the last whole one, never acknowledged, were cut off at a start.
  { state: 'torn journals', events: ['debug journal segment settled'], only: ({ isTorn }) => isTorn === true },
  { state: 'uploads that went on elsewhere', events: ['info a chunk of an upload goes on elsewhere'] },
  { state: 'view changes', events: ['info view changed'] },
  // Files of a run have three copies, of which two have to be there.
  {
    state: 'views below the minimum',
    events: ['info view changed'],
    only: ({ members }) => (members as readonly number[]).length === 1,
  },
];

/** Those that only what is sent shows. */
const WIRE_STATES = {
  /** Another server than the last one takes the lease of a chunk. */
  handOver: 'lease hand-overs',
  /** The primary knew the operation already. */
  retriedAppend: 'retried appends',
  retriedWrite: 'retried writes',
  /** A server refused a request because of its version. */
  staleRefused: 'stale versions refused',
  /** It had too much to do for the moment. */
  overloaded: 'requests refused as too many',
  /** A primary tells the master who has no room for a mutation. */
  full: 'members without room',
  /** A server that is asked for a promise has no replica. */
  absent: 'members without a replica',
  /** It is asked again for the same promise. */
  goesOn: 'promises asked for again',
  /** A secondary had staged bytes in the range and learnt the commit point. */
  dirtyRead: 'dirty reads resolved',
} as const;

const SIGNS_BY_EVENT = new Map<string, LogSign[]>();
for (const sign of LOG_SIGNS) {
  for (const event of sign.events) SIGNS_BY_EVENT.set(event, [...(SIGNS_BY_EVENT.get(event) ?? []), sign]);
}

/** All that are counted. */
export const COVERED_STATES: readonly string[] = [
  ...LOG_SIGNS.map(({ state }) => state),
  ...Object.values(WIRE_STATES),
].sort();

export class Coverage implements WireListener {
  readonly #counts = new Map<string, number>();
  /** Who sent the last view of each chunk. */
  readonly #primaries = new Map<string, string>();
  /** The version last asked for, by chunk and server. */
  readonly #promises = new Map<string, number>();

  /** States that were come by, and how often. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  logged(entry: TraceEntry): void {
    const signs = SIGNS_BY_EVENT.get(entry.event);
    if (signs === undefined) return;
    for (const { state, only } of signs) if (only?.(entry.fields, entry) ?? true) this.#count(state);
  }

  sent(frame: WireFrame): void {
    if (frame.role === 'error') {
      const { kind } = frame.message as ErrorDetail;
      if (kind === 'STALE_VERSION') this.#count(WIRE_STATES.staleRefused);
      if (kind === 'OVERLOADED') this.#count(WIRE_STATES.overloaded);
      if (kind === 'CHUNK_NOT_FOUND' && frame.call.method.id === prepareView.id) this.#count(WIRE_STATES.absent);
      return;
    }
    if (frame.role === 'request') {
      this.#viewSent(frame);
      this.#promiseAsked(frame);
      const failed = requestOf(frame, MasterControlMethods.reportFailedMembers);
      if ((failed?.fullMembers.length ?? 0) > 0) this.#count(WIRE_STATES.full);
      return;
    }
    if (answers(frame, ChunkserverPeerMethods.getCommitPoint)) this.#count(WIRE_STATES.dirtyRead);
    if (responseOf(frame, ChunkserverDataMethods.mutateChunk)?.repeatedOperation !== true) return;
    const isAppend = requestOf(frame, ChunkserverDataMethods.mutateChunk)?.kind?.$case === 'append';
    this.#count(isAppend ? WIRE_STATES.retriedAppend : WIRE_STATES.retriedWrite);
  }

  #viewSent(frame: WireFrame): void {
    const handle = requestOf(frame, ChunkserverPeerMethods.installView)?.view?.handle;
    if (handle === undefined) return;
    const last = this.#primaries.get(handle);
    if (last === frame.from) return;
    this.#primaries.set(handle, frame.from);
    if (last !== undefined) this.#count(WIRE_STATES.handOver);
  }

  #promiseAsked(frame: WireFrame): void {
    const asked = requestOf(frame, prepareView);
    if (asked === undefined) return;
    const key = `${asked.handle} ${frame.to}`;
    if (this.#promises.get(key) === asked.newVersion) this.#count(WIRE_STATES.goesOn);
    this.#promises.set(key, asked.newVersion);
  }

  #count(state: string): void {
    this.#counts.set(state, (this.#counts.get(state) ?? 0) + 1);
  }
}
