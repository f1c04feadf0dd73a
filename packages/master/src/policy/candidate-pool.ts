/**
 * The servers that the chunks of one plan may go to. Choosing among all of them takes time in proportion to their number,
 * for every chunk; so a large pool is sampled. All of it is looked at where the sample could not spread the copies as far
 * as the whole pool can.
 */
import type { Random } from '@cairnfs/base';
import type { ServerEntry } from '../cluster/server-table.ts';
import type { Candidate, Selection } from './selector.ts';

export class CandidatePool {
  readonly #servers: readonly ServerEntry[];
  readonly #candidate: (server: ServerEntry) => Candidate;
  readonly #random: Random;
  /** Made when first needed, and anew after `refresh`. */
  readonly #candidates = new Map<number, Candidate>();
  /** Positions in `#servers`, the sample drawn last in front. */
  #order: Uint32Array | undefined;
  #places: { readonly racks: ReadonlySet<string>; readonly hosts: ReadonlySet<string> } | undefined;

  constructor(
    servers: readonly ServerEntry[],
    { candidate, random }: { candidate: (server: ServerEntry) => Candidate; random: Random },
  ) {
    this.#servers = servers;
    this.#candidate = candidate;
    this.#random = random;
  }

  /** So many, each set of them as likely as any other; all when there are no more. */
  sample(count: number): Candidate[] {
    const servers = this.#servers;
    if (servers.length <= count) return this.all();
    this.#order ??= Uint32Array.from(servers, (_, index) => index);
    const order = this.#order;
    const sample: Candidate[] = [];
    for (let index = 0; index < count; index += 1) {
      const other = index + (this.#random.uint32() % (order.length - index));
      const drawn = order[other]!;
      order[other] = order[index]!;
      order[index] = drawn;
      sample.push(this.#of(servers[drawn]!));
    }
    return sample;
  }

  all(): Candidate[] {
    return this.#servers.map((server) => this.#of(server));
  }

  /** Whether the whole pool has room on more racks or hosts than those chosen are on. */
  couldSpreadMore(chosen: readonly Candidate[], { count, besides }: Selection): boolean {
    if (this.#order === undefined) return false; // they were chosen among all
    this.#places ??= {
      racks: new Set(this.#servers.map(({ rack }) => rack)),
      hosts: new Set(this.#servers.map(({ host }) => host)),
    };
    const taken = [...besides, ...chosen];
    const wanted = besides.length + count;
    return (['rack', 'host'] as const).some((key) => {
      const used = new Set(taken.map((candidate) => candidate[key]));
      if (used.size >= wanted) return false;
      const there = key === 'rack' ? this.#places!.racks : this.#places!.hosts;
      const unused = [...there].some((place) => !used.has(place));
      // One that is used twice could have given way to one that is not used.
      return unused && used.size < taken.length;
    });
  }

  /** Something was placed on the server. */
  refresh(server: ServerEntry): void {
    this.#candidates.delete(server.id);
  }

  #of(server: ServerEntry): Candidate {
    let candidate = this.#candidates.get(server.id);
    if (candidate === undefined) {
      candidate = this.#candidate(server);
      this.#candidates.set(server.id, candidate);
    }
    return candidate;
  }
}
