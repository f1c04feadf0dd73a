/** Placement over the chunkservers that are live and have room. */
import { FsError } from '@cairnfs/base';
import type { DiskStatus } from '@cairnfs/protocol';
import type { ServerEntry, ServerTable } from '../cluster/server-table.ts';
import type { MasterContext, Placement, PlacementRequest } from '../context.ts';
import { PLACEMENT_SAMPLE, RECENT_PLACEMENT_HALF_LIFE_MS } from '../limits.ts';
import { CandidatePool } from './candidate-pool.ts';
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
    const { seams, config } = this.#context;
    const selector = SELECTORS[config.selector];
    const hasPlace = (server: ServerEntry) =>
      this.#canTake(server) && !besides.includes(server.id) && this.#hasRoom(server);
    let pool = this.#pool((server) => !avoid.has(server.id) && hasPlace(server));
    // Servers to avoid are a wish: with too few others they must do, and the client learns what it gets.
    let roomCount = pool.sample(PLACEMENT_SAMPLE).length;
    if (roomCount < minimum) {
      pool = this.#pool(hasPlace);
      roomCount = pool.sample(PLACEMENT_SAMPLE).length;
    }
    if (roomCount < minimum) throw this.#tooFew(roomCount, minimum);
    const holders = besides.map((id) => this.#servers.get(id)).filter((server) => server !== undefined);
    const selection = { count: replicas, besides: holders.map((server) => this.#candidate(server)) };
    return Array.from({ length: count }, () => {
      let chosen = selector.select(pool.sample(PLACEMENT_SAMPLE), selection, seams.random);
      if (pool.couldSpreadMore(chosen, selection)) chosen = selector.select(pool.all(), selection, seams.random);
      for (const { id } of chosen) {
        this.#note(id);
        pool.refresh(this.#servers.get(id)!);
      }
      return chosen.map(({ id }) => id);
    });
  }

  disk(server: number): string {
    const entry = this.#servers.get(server);
    if (entry === undefined) return '';
    const withRoom = entry.disks.filter((disk) => this.#takesChunk(disk));
    const rested = withRoom.filter(({ diskId }) => !this.#servers.isPaused(entry, diskId));
    const candidates = rested.length > 0 ? rested : withRoom;
    const [best] = candidates.sort((a, b) => b.freeBytes - a.freeBytes);
    return best?.diskId ?? '';
  }

  #pool(isIn: (server: ServerEntry) => boolean): CandidatePool {
    const { random } = this.#context.seams;
    return new CandidatePool([...this.#servers.all], { isIn, candidate: (server) => this.#candidate(server), random });
  }

  /** One that has registered and not yet told its disks will have in a moment: nobody is told that it has no room. */
  #canTake({ id, disks }: ServerEntry): boolean {
    return disks.length > 0 && this.#servers.isLive(id);
  }

  #candidate(server: ServerEntry): Candidate {
    let total = 0;
    let free = 0;
    for (const { totalBytes, freeBytes } of server.disks) {
      total += totalBytes;
      free += freeBytes;
    }
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
  #hasRoom(server: ServerEntry): boolean {
    return !this.#servers.isFull(server) && server.disks.some((disk) => this.#takesChunk(disk));
  }

  #takesChunk({ failure, freeBytes }: DiskStatus): boolean {
    return failure === '' && freeBytes >= this.#context.config.chunkBytes;
  }

  #tooFew(withRoom: number, minimum: number): FsError {
    let live = 0;
    for (const server of this.#servers.all) if (this.#canTake(server)) live += 1;
    if (live >= minimum) {
      const message = `only ${withRoom} of ${live} live chunkservers have room for another chunk, ${minimum} are needed`;
      return new FsError('NO_SPACE', message, { details: { live, withRoom, minimum } });
    }
    const known = this.#servers.count;
    const message = `${live} of ${known} chunkservers are live, at least ${minimum} are needed to write`;
    return new FsError('NOT_ENOUGH_SERVERS', message, { details: { live, known, minimum } });
  }
}
