/** Who leads and who follows in a new view. */
import type { Chunk } from '../gen/cairn/master/v1/state.ts';

export interface MemberChoice {
  readonly chunk: Pick<Chunk, 'members' | 'goal'>;
  /** In reach, sound, and in sync with the old view. */
  readonly candidates: readonly number[];
  /** Chunks each server leads now. */
  readonly primaryCounts: ReadonlyMap<number, number>;
}

/**
 * The old primary keeps the lead when it can, since clients know it; otherwise the one who leads least. No more members
 * than the goal: the newest joined first, because a joining server was wanted for what it is.
 */
export function chooseMembers({ chunk, candidates, primaryCounts }: MemberChoice): number[] {
  const byAge = [...new Set(candidates)];
  const surplus = Math.max(0, byAge.length - chunk.goal);
  const kept = surplus === 0 ? byAge : [...byAge.slice(0, byAge.length - 1 - surplus), byAge.at(-1)!];
  const lead = (member: number) => (member === chunk.members[0] ? -1 : (primaryCounts.get(member) ?? 0));
  return [...kept].sort((a, b) => lead(a) - lead(b));
}
