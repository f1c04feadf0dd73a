/** Everything this server holds, in parts in order of handle over all disks (control.proto). */
import type { ReplicaReport } from '@cairnfs/protocol';
import type { Replicas } from '../store/replicas.ts';

export interface InventoryPart {
  readonly replicas: ReplicaReport[];
  /** The handle the part starts after. */
  readonly after: string;
  readonly last: boolean;
}

/** The last part is marked; there is always one. What changes meanwhile is told as a change. */
export function* inventoryParts(replicas: Replicas, partMax: number): Generator<InventoryPart> {
  for (let after = ''; ; ) {
    const found: ReplicaReport[] = [];
    for (const store of replicas.stores) {
      if (store.failure === undefined) found.push(...replicas.page(store, after, partMax + 1));
    }
    found.sort((a, b) => (a.handle < b.handle ? -1 : 1));
    // A chunk is on one disk; a master refuses a handle that comes twice.
    const unique = found.filter(({ handle }, index) => found[index - 1]?.handle !== handle);
    const last = unique.length <= partMax;
    const part = last ? unique : unique.slice(0, partMax);
    yield { replicas: part, after, last };
    if (last) return;
    after = part.at(-1)!.handle;
  }
}
