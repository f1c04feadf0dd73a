/**
 * Which chunks have a single copy left, as far as the faults of the run go: members of the chunk are known from the master's
 * log of views and from what it answers when a chunk begins, destroyed copies from who destroys them. Where repair is slow,
 * the only copy that has all of a chunk may be the only one for long: that one is not to be destroyed, nor are the others to
 * do without its server, as no promise covers that (schedule/make-faults.ts).
 *
 * In doubt a copy is taken for destroyed: a lost disk takes all of its server, also what lay on another disk. A view
 * confirmed afterwards has sound members only.
 */
import { type ChunkLocation, MasterMethods } from '@cairnfs/protocol';
import type { TraceEntry } from '@cairnfs/sim';
import { requestOf, responseOf, type WireFrame, type WireListener } from '../wire/wire-tap.ts';

const { beginUpload, extendUpload, confirmUpload, openExtent } = MasterMethods;

export class LastCopies implements WireListener {
  /** Server numbers of hosts: a server that lost its disk gets another one. */
  readonly #hosts = new Map<number, string>();
  /** Members whose copy was not destroyed, by chunk. */
  readonly #holders = new Map<string, Set<number>>();
  /** Of chunks of uploads that are not confirmed. */
  readonly #planned = new Map<string, readonly number[]>();

  logged({ event, fields }: TraceEntry): void {
    if (event === 'info chunkserver registered') {
      this.#hosts.set(Number(fields.id), String(fields.address).split(':')[0]!);
    } else if (event === 'info view changed') {
      const members = fields.members as readonly number[];
      const handle = String(fields.handle);
      if (members.length > 0) this.#holders.set(handle, new Set(members));
      else this.#holders.delete(handle);
    }
  }

  sent(frame: WireFrame): void {
    if (frame.role === 'request') {
      // Whether that is granted or not: a chunk too many is spared.
      for (const { handle } of requestOf(frame, confirmUpload)?.chunks ?? []) this.#begins(handle);
      return;
    }
    this.#plan(responseOf(frame, beginUpload)?.chunks);
    this.#plan(responseOf(frame, extendUpload)?.chunks);
    this.#plan(responseOf(frame, confirmUpload)?.spare?.chunks);
    const opened = responseOf(frame, openExtent)?.extent?.chunk;
    if (opened === undefined) return;
    this.#plan([opened]);
    this.#begins(opened.handle);
  }

  /** The host's copy of that chunk; of all chunks when none is named. */
  destroyed(host: string, handle?: string): void {
    const chunks = handle === undefined ? this.#holders.values() : [this.#holders.get(handle)];
    for (const holders of chunks) {
      for (const server of holders ?? []) if (this.#hosts.get(server) === host) holders!.delete(server);
    }
  }

  /** Whether the host has the only copy of any of these chunks; of any at all when none is named. */
  isLast(host: string, handle?: string): boolean {
    const chunks = handle === undefined ? [...this.#holders.values()] : [this.#holders.get(handle)];
    return chunks.some((holders) => {
      const [server, ...others] = holders ?? [];
      return server !== undefined && others.length === 0 && this.#hosts.get(server) === host;
    });
  }

  #plan(chunks: readonly ChunkLocation[] = []): void {
    for (const { handle, replicas } of chunks) {
      this.#planned.set(
        handle,
        replicas.map(({ serverId }) => serverId),
      );
    }
  }

  /** With the members it was planned for, unless its views are known: an answer may be late. */
  #begins(handle: string): void {
    const members = this.#planned.get(handle);
    this.#planned.delete(handle);
    if (members !== undefined && !this.#holders.has(handle)) this.#holders.set(handle, new Set(members));
  }
}
