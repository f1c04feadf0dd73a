/** The mutation side of a chunkserver as one: what the shell registers for calls, and what heartbeat and reads ask. */
import type { CommitReport, Payload, PrepareViewReply, PrepareViewRequest } from '@cairnfs/protocol';
import { prepareView } from '../view/view-control.ts';
import { isSettled, type ReadRange, settleRead } from './dirty-read.ts';
import type { MutationContext } from './mutation-context.ts';
import { type HeldLease, Primaries } from './primaries.ts';
import type { MutableReplica } from './replica-port.ts';
import { Secondaries } from './secondary.ts';

export class Mutations {
  readonly primaries: Primaries;
  readonly secondaries: Secondaries;
  readonly #context: MutationContext;

  constructor(context: MutationContext) {
    this.#context = context;
    this.primaries = new Primaries(context);
    this.secondaries = new Secondaries(context, (handle) => this.primaries.deposed(handle));
  }

  prepareView(request: PrepareViewRequest): Promise<Payload<PrepareViewReply>> {
    const { primaries, secondaries } = this;
    return prepareView({ context: this.#context, primaries, secondaries }, request);
  }

  /** See `isSettled` and `settleRead`: a read waits for this first. Synchronous (undefined) when nothing is in doubt. */
  commitPointFor(replica: MutableReplica, range: ReadRange): Promise<void> | undefined {
    if (isSettled(replica, this.primaries, range)) return undefined;
    return settleRead(this.#context, this.primaries, replica);
  }

  close(): void {
    this.primaries.close();
  }

  held(): HeldLease[] {
    return this.primaries.held();
  }

  renewed(handles: readonly string[], sentAtMs: number): void {
    this.primaries.renewed(handles, sentAtMs);
  }

  commitReports(): CommitReport[] {
    return this.primaries.commitReports();
  }
}
