/** Which server takes the next copy of a chunk, and how many copies each has to do with just now, as source or as target. */
import { isFsError } from '@cairnfs/base';
import type { ReplicaReports } from '../cluster/replica-reports.ts';
import type { Placement } from '../context.ts';
import type { Chunk } from '../gen/cairn/master/v1/state.ts';
import type { FailingServers } from './failing-servers.ts';

interface CloneTargetsParts {
  readonly reports: Pick<ReplicaReports, 'surplusOf'>;
  readonly placement: Placement;
  readonly failing: FailingServers;
  /** Copies under way of one server. */
  readonly clonesPerServer: number;
}

export class CloneTargets {
  readonly #parts: CloneTargetsParts;
  /** Copies under way, by server. */
  readonly #load = new Map<number, number>();

  constructor(parts: CloneTargetsParts) {
    this.#parts = parts;
  }

  isBusy(server: number): boolean {
    return (this.#load.get(server) ?? 0) >= this.#parts.clonesPerServer;
  }

  begin(servers: ReadonlySet<number>): void {
    for (const server of servers) this.#load.set(server, (this.#load.get(server) ?? 0) + 1);
  }

  end(servers: ReadonlySet<number>): void {
    for (const server of servers) {
      const load = this.#load.get(server)! - 1;
      if (load > 0) this.#load.set(server, load);
      else this.#load.delete(server);
    }
  }

  /**
   * Rather one that is neither busy nor failing; of those one that has no old copy to put away first. Then one that is busy
   * and works: whoever waits for it waits less than for one that fails, which takes its source's time as well. Undefined when
   * no server can take it.
   */
  next(handle: string, chunk: Chunk): number | undefined {
    const { failing, reports } = this.#parts;
    const busy = [...this.#load.keys()].filter((server) => this.isBusy(server));
    const withOldCopy = reports.surplusOf(handle);
    let target: number | undefined;
    for (const avoided of [[...busy, ...failing.all, ...withOldCopy], [...busy, ...failing.all], failing.all]) {
      const avoid = new Set(avoided);
      target = this.#place(chunk, avoid);
      if (target === undefined || !avoid.has(target)) break;
    }
    return target;
  }

  /** @param avoid as a wish. */
  #place(chunk: Chunk, avoid: ReadonlySet<number>): number | undefined {
    try {
      const request = { count: 1, replicas: 1, minimum: 1, avoid, besides: chunk.members };
      return this.#parts.placement.place(request)[0]?.[0];
    } catch (error) {
      if (isFsError(error, 'NOT_ENOUGH_SERVERS', 'NO_SPACE')) return undefined; // until a server comes or space is made
      throw error;
    }
  }
}
