/** Who acts as primary of which chunk, and which versions and commit points servers tell, as they send it. */
import {
  ChunkserverDataMethods,
  ChunkserverPeerMethods,
  type ChunkView,
  MasterControlMethods,
} from '@cairnfs/protocol';
import type { Observed } from '../checks/monotonic.ts';
import type { Served } from '../checks/primaries.ts';
import { answers, requestOf, responseOf, type WireFrame, type WireListener } from '../wire/wire-tap.ts';

export class PrimaryWatch implements WireListener {
  readonly observed: Observed[] = [];
  readonly #served = new Map<string, Served>();
  /** Under which version and term each server acts, by chunk and server. */
  readonly #terms = new Map<string, { version: number; term: number }>();

  get served(): Served[] {
    return [...this.#served.values()];
  }

  sent(frame: WireFrame): void {
    if (frame.role === 'request') this.#requested(frame);
    else if (frame.role === 'response') this.#answered(frame);
  }

  #requested(frame: WireFrame): void {
    const installed = requestOf(frame, ChunkserverPeerMethods.installView);
    if (installed?.view !== undefined && !installed.fence) {
      const { handle, version } = installed.view;
      this.#terms.set(`${handle} ${frame.from}`, { version, term: installed.term });
    }
    for (const commit of requestOf(frame, MasterControlMethods.heartbeat)?.commits ?? []) {
      const { handle: chunk, version, sequence } = commit;
      this.observed.push({ atMs: frame.sentMs, chunk, holder: `${frame.from} as primary`, version, sequence });
    }
  }

  #answered(frame: WireFrame): void {
    const { from, sentMs: atMs } = frame;
    const installed = responseOf(frame, ChunkserverPeerMethods.installView);
    if (installed !== undefined) {
      const { view, term, fence } = requestOf(frame, ChunkserverPeerMethods.installView)!;
      const { handle: chunk, version } = view!;
      // Before it is installed, a view says nothing of what a server that started again knows to be committed.
      const sequence = fence ? {} : { sequence: installed.committedSequence };
      this.observed.push({ atMs, chunk, holder: from, version, term, ...sequence });
      return;
    }
    for (const view of responseOf(frame, MasterControlMethods.acquireLeases)?.granted ?? []) this.#told(frame, view);
    const { view } = responseOf(frame, MasterControlMethods.reportFailedMembers) ?? {};
    if (view !== undefined) this.#told(frame, view);
    const handle = chunkServed(frame);
    if (handle !== undefined) this.#serves(handle, frame);
  }

  #told({ from, sentMs: atMs }: WireFrame, { handle: chunk, version, baseSequence: sequence }: ChunkView): void {
    this.observed.push({ atMs, chunk, holder: from, version, sequence });
  }

  #serves(chunk: string, { from: server, sentMs: toMs }: WireFrame): void {
    const acting = this.#terms.get(`${chunk} ${server}`);
    if (acting === undefined) return;
    const { version, term } = acting;
    const key = `${chunk} ${server} ${version} ${term}`;
    const fromMs = this.#served.get(key)?.fromMs ?? toMs;
    this.#served.set(key, { chunk, server, version, term, fromMs, toMs });
  }
}

/** The chunk that the sender of this answer must be primary of. */
function chunkServed(frame: WireFrame): string | undefined {
  const mutated = responseOf(frame, ChunkserverDataMethods.mutateChunk);
  // What was applied by an earlier try is told from the table, which members of the view have as well.
  if (mutated !== undefined && !mutated.repeatedOperation) {
    return requestOf(frame, ChunkserverDataMethods.mutateChunk)!.handle;
  }
  if (answers(frame, ChunkserverPeerMethods.getCommitPoint)) {
    return requestOf(frame, ChunkserverPeerMethods.getCommitPoint)!.handle;
  }
  if (answers(frame, ChunkserverDataMethods.getChunkLength)) {
    return requestOf(frame, ChunkserverDataMethods.getChunkLength)!.handle;
  }
  return undefined;
}
