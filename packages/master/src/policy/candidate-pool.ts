/**
 * The servers that the chunks of one plan may go to. Looking at all of them takes time in proportion to their number, for
 * every chunk; so a large cluster is sampled. All of it is looked at where the sample could not spread the copies as far
 * as the whole cluster can.
 */
import type { Random } from '@cairnfs/base';
import type { ServerEntry } from '../cluster/server-table.ts';
import type { Candidate, Selection } from './selector.ts';

export class CandidatePool {
  readonly #servers: readonly ServerEntry[];
  readonly #isIn: (server: ServerEntry) => boolean;
  readonly #candidate: (server: ServerEntry) => Candidate;
  readonly #random: Random;
  /** Made when first needed, and anew after `refresh`. */
  readonly #candidates = new Map<number, Candidate>();
  /** Positions in `#servers`, in the order in which they were drawn last. */
  #order: Uint32Array | undefined;
  #places: { readonly rack: ReadonlySet<string>; readonly host: ReadonlySet<string> } | undefined;

  constructor(
    servers: readonly ServerEntry[],
    parts: {
      isIn: (server: ServerEntry) => boolean;
      candidate: (server: ServerEntry) => Candidate;
      random: Random;
    },
  ) {
    const { isIn, candidate, random } = parts;
    this.#servers = servers;
    this.#isIn = isIn;
    this.#candidate = candidate;
    this.#random = random;
  }

  /** So many, each set of them as likely as any other; all that there are when those are fewer. */
  sample(count: number): Candidate[] {
    const servers = this.#servers;
    if (servers.length <= count) return this.all();
    this.#order ??= Uint32Array.from(servers, (_, index) => index);
    const order = this.#order;
    const sample: Candidate[] = [];
    for (let index = 0; index < order.length && sample.length < count; index += 1) {
      const other = index + (this.#random.uint32() % (order.length - index));
      const drawn = order[other]!;
      order[other] = order[index]!;
      order[index] = drawn;
      const server = servers[drawn]!;
      if (this.#isIn(server)) sample.push(this.#of(server));
    }
    return sample;
  }

  all(): Candidate[] {
    return this.#servers.filter(this.#isIn).map((server) => this.#of(server));
  }

  /** Whether the whole pool has room on more racks or hosts than those chosen are on. */
  couldSpreadMore(chosen: readonly Candidate[], { count, besides }: Selection): boolean {
    if (this.#order === undefined) return false; // they were chosen among all
    const taken = [...besides, ...chosen];
    return (['rack', 'host'] as const).some((key) => {
      const used = new Set(taken.map((candidate) => candidate[key]));
      if (used.size === taken.length && chosen.length === count) return false;
      // One that is used twice could have given way to one that is not used.
      for (const place of this.#there()[key]) if (!used.has(place)) return true;
      return false;
    });
  }

  #there(): { readonly rack: ReadonlySet<string>; readonly host: ReadonlySet<string> } {
    if (this.#places === undefined) {
      const all = this.all();
      this.#places = { rack: new Set(all.map(({ rack }) => rack)), host: new Set(all.map(({ host }) => host)) };
    }
    return this.#places;
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
