/**
 * Which chunks have a single copy left, as far as the faults of the run go: members of the chunk are known from the master's
 * log of views and from what it answers when a chunk begins, destroyed copies from who destroys them. A view may have shrunk
 * below the minimum because of faults that destroy nothing, and where repair is slow it may stay so for long: the only copy
 * that has all of a chunk is not to be destroyed then, nor are the others to have its chunk without its server, as no promise
 * covers that (schedule/make-faults.ts).
 *
 * In doubt a copy is taken for destroyed: a lost disk takes all of its server, also what lay on another disk.
 */
import { type ChunkLocation, MasterMethods } from '@cairnfs/protocol';
import type { TraceEntry } from '@cairnfs/sim';
import { requestOf, responseOf, type WireFrame, type WireListener } from '../wire/wire-tap.ts';

const { beginUpload, extendUpload, confirmUpload, openExtent } = MasterMethods;

interface View {
  readonly members: readonly number[];
  /** Those of them whose copy was destroyed, and not replaced. */
  readonly destroyed: Set<number>;
}

export class LastCopies implements WireListener {
  /** Server numbers of hosts: a server that lost its disk gets another one. */
  readonly #hosts = new Map<number, string>();
  /** By chunk. Those that were deleted stay. */
  readonly #views = new Map<string, View>();
  /** Of chunks of uploads that are not confirmed. */
  readonly #planned = new Map<string, View>();

  logged({ event, fields }: TraceEntry): void {
    if (event === 'info chunkserver registered') {
      this.#hosts.set(Number(fields.id), String(fields.address).split(':')[0]!);
    } else if (event === 'info view changed') {
      const handle = String(fields.handle);
      const members = fields.members as readonly number[];
      // Who joins does so with a sound copy. So does one that stays alone: it has promised, so it was not the disk with its copy.
      const isDestroyed = (server: number) => members.length > 1 && this.#views.get(handle)?.destroyed.has(server);
      const destroyed = members.filter(isDestroyed);
      this.#views.set(handle, { members, destroyed: new Set(destroyed) });
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
    for (const [chunk, { members, destroyed }] of [...this.#views, ...this.#planned]) {
      if (handle !== undefined && handle !== chunk) continue;
      for (const server of members) if (this.#hosts.get(server) === host) destroyed.add(server);
    }
  }

  /** The chunks of which the host has the only copy. */
  of(host: string): ReadonlySet<string> {
    const handles = new Set<string>();
    for (const [handle, { members, destroyed }] of this.#views) {
      const [server, ...others] = members.filter((member) => !destroyed.has(member));
      if (server !== undefined && others.length === 0 && this.#hosts.get(server) === host) handles.add(handle);
    }
    return handles;
  }

  #plan(chunks: readonly ChunkLocation[] = []): void {
    for (const { handle, replicas } of chunks) {
      this.#planned.set(handle, { members: replicas.map(({ serverId }) => serverId), destroyed: new Set() });
    }
  }

  /** With the members it was planned for, unless its views are known: an answer may be late. */
  #begins(handle: string): void {
    const view = this.#planned.get(handle);
    this.#planned.delete(handle);
    if (view !== undefined && !this.#views.has(handle)) this.#views.set(handle, view);
  }
}
