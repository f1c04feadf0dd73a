/**
 * Which chunks have a single member, as the master logs it. Where repair is slow, the only copy that has all of a chunk may
 * be the only one for long: that one is not to be destroyed, as no promise covers that (schedule/make-faults.ts).
 */
import type { TraceEntry } from '@cairnfs/sim';

export class LastCopies {
  /** Server numbers of hosts, the latest last: a server that lost its disk gets another one. */
  readonly #hosts = new Map<number, string>();
  /** The only member, by chunk. */
  readonly #only = new Map<string, number>();

  logged({ event, fields }: TraceEntry): void {
    if (event === 'info chunkserver registered') {
      this.#hosts.set(Number(fields.id), String(fields.address).split(':')[0]!);
    } else if (event === 'info view changed') {
      const members = fields.members as readonly number[];
      const handle = String(fields.handle);
      if (members.length === 1) this.#only.set(handle, members[0]!);
      else this.#only.delete(handle);
    }
  }

  /** Whether the host is the only member of any of these chunks; of any at all when none is named. */
  isLast(host: string, handle?: string): boolean {
    const servers = handle === undefined ? [...this.#only.values()] : [this.#only.get(handle)];
    return servers.some((server) => server !== undefined && this.#hosts.get(server) === host);
  }
}
