/** The disks on which the members of a chunk at its first version make their replicas (docs/spec/views.md). */
import type { Chunk } from '../gen/cairn/master/v1/state.ts';

/** Empty: none is named. */
export function diskOf({ members, disks }: Pick<Chunk, 'members' | 'disks'>, member: number): string {
  return disks[members.indexOf(member)] ?? '';
}
