/** A primary asks the master for a view without the members that failed (docs/protocol.md, "Mutations", step 5). */
import { type ChunkView, MasterControlMethods } from '@cairnfs/protocol';
import { VIEW_CHANGE_TIMEOUT_MS } from '../mutation/limits.ts';
import { outcomeUnknown } from '../mutation/mutation-call.ts';
import type { MutationContext } from '../mutation/mutation-context.ts';

export interface FailedMembers {
  readonly handle: string;
  /** Of the view they failed in. */
  readonly version: number;
  readonly failedMembers: number[];
  /** Of these, those that have no room. */
  readonly fullMembers: number[];
  /** Of these, those that make no replica of this chunk, and of another one would. */
  readonly unmadeMembers: number[];
  readonly reason: string;
}

/**
 * @returns the view that follows, and when it was asked for: the lease on it counts from then.
 * @throws FsError  with an `unknown` reaction when there is no later view; otherwise as the call fails.
 */
export async function askForNextView(
  context: MutationContext,
  failed: FailedMembers,
): Promise<{ view: ChunkView; sentAtMs: number }> {
  const sentAtMs = context.clock.nowMs();
  const { message } = await context.master.call(
    MasterControlMethods.reportFailedMembers,
    { serverId: context.serverId(), session: context.session(), ...failed },
    { timeoutMs: VIEW_CHANGE_TIMEOUT_MS },
  );
  const { view } = message;
  if (view === undefined || view.version <= failed.version)
    throw outcomeUnknown(failed.handle, 'the view could not be changed');
  return { view, sentAtMs };
}
