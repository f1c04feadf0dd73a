/** Placement over the chunkservers that are live and have room. */
import { FsError } from '@cairnfs/base';
import type { ServerEntry, ServerTable } from '../cluster/server-table.ts';
import type { MasterContext, Placement, PlacementRequest } from '../context.ts';
import { RECENT_PLACEMENT_HALF_LIFE_MS } from '../limits.ts';
import { randomSelector } from './random-selector.ts';
import type { Candidate, ReplicaSelector } from './selector.ts';
import { spreadSelector } from './spread-selector.ts';

const SELECTORS: Readonly<Record<'spread' | 'random', ReplicaSelector>> = {
  spread: spreadSelector,
  random: randomSelector,
};

export class ClusterPlacement implements Placement {
  readonly #context: MasterContext;
  readonly #servers: ServerTable;
  readonly #recent = new Map<number, { count: number; atMs: number }>();

  constructor(context: MasterContext, servers: ServerTable) {
    this.#context = context;
    this.#servers = servers;
  }

  place({ count, replicas, minimum, avoid, besides = [] }: PlacementRequest): number[][] {
    const selector = SELECTORS[this.#context.config.selector];
    // One that has registered and not yet told its disks will have in a moment: nobody is told that it has no room.
    const live = [...this.#servers.all].filter(({ id, disks }) => this.#servers.isLive(id) && disks.length > 0);
    const withRoom = live.filter((server) => !besides.includes(server.id) && this.#hasRoom(server));
    // Servers to avoid are a wish: with too few others they must do, and the client learns what it gets.
    const preferred = withRoom.filter(({ id }) => !avoid.has(id));
    const pool = preferred.length >= minimum ? preferred : withRoom;
    if (pool.length < minimum) throw this.#tooFew(live.length, pool.length, minimum);
    const holders = besides.map((id) => this.#servers.get(id)).filter((server) => server !== undefined);
    return Array.from({ length: count }, () => {
      const candidates = pool.map((server) => this.#candidate(server));
      const selection = { count: replicas, besides: holders.map((server) => this.#candidate(server)) };
      const chosen = selector.select(candidates, selection, this.#context.seams.random).map(({ id }) => id);
      for (const id of chosen) this.#note(id);
      return chosen;
    });
  }

  #candidate(server: ServerEntry): Candidate {
    const total = server.disks.reduce((sum, disk) => sum + disk.totalBytes, 0);
    const free = server.disks.reduce((sum, disk) => sum + disk.freeBytes, 0);
    const { id, host, rack } = server;
    return { id, host, rack, diskUsedRatio: total === 0 ? 0 : 1 - free / total, recentCount: this.#recentCount(id) };
  }

  /** Decays, so that a server that was empty for a while is not shunned for it. */
  #recentCount(id: number): number {
    const recent = this.#recent.get(id);
    if (recent === undefined) return 0;
    return recent.count * 0.5 ** ((this.#context.seams.clock.nowMs() - recent.atMs) / RECENT_PLACEMENT_HALF_LIFE_MS);
  }

  #note(id: number): void {
    this.#recent.set(id, { count: this.#recentCount(id) + 1, atMs: this.#context.seams.clock.nowMs() });
  }

  /** On at least one healthy disk there is room for a whole chunk. */
  #hasRoom({ disks }: ServerEntry): boolean {
    const { chunkBytes } = this.#context.config;
    return disks.some(({ failure, freeBytes }) => failure === '' && freeBytes >= chunkBytes);
  }

  #tooFew(live: number, withRoom: number, minimum: number): FsError {
    if (live >= minimum) {
      const message = `only ${withRoom} of ${live} live chunkservers have room for another chunk, ${minimum} are needed`;
      return new FsError('NO_SPACE', message, { details: { live, withRoom, minimum } });
    }
    const known = this.#servers.count;
    const message = `${live} of ${known} chunkservers are live, at least ${minimum} are needed to write`;
    return new FsError('NOT_ENOUGH_SERVERS', message, { details: { live, known, minimum } });
  }
}
