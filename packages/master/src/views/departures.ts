/**
 * Servers that left a view by their lease alone, and so do not know it. Before such a server gets a lease again it
 * promises what it missed: otherwise it would serve the old version to whoever still knows it.
 *
 * In memory: after a restart of the master, what it holds is found by its inventory, and is quarantined.
 */
import { FsError, isFsError } from '@cairnfs/base';
import { ChunkserverControlMethods } from '@cairnfs/protocol';
import type { MasterContext } from '../context.ts';
import { CHUNKSERVER_CALL_TIMEOUT_MS, DEPARTURES_AT_ONCE } from '../limits.ts';

interface Departure {
  readonly oldVersion: number;
  readonly newVersion: number;
}

export class Departures {
  readonly #context: MasterContext;
  readonly #byServer = new Map<number, Map<string, Departure>>();

  constructor(context: MasterContext) {
    this.#context = context;
  }

  add(server: number, handle: string, departure: Departure): void {
    let missed = this.#byServer.get(server);
    if (missed === undefined) {
      missed = new Map();
      this.#byServer.set(server, missed);
    }
    missed.set(handle, departure);
  }

  /**
   * Tells the server all that it missed.
   *
   * @throws FsError UNAVAILABLE  it did not answer; it stays without a lease and registers again.
   */
  async settle(server: number, address: string): Promise<void> {
    const missed = this.#byServer.get(server);
    if (missed === undefined) return;
    const queue = [...missed];
    const worker = async () => {
      for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
        const [handle, departure] = next;
        await this.#tell(server, address, handle, departure);
        if (missed.get(handle) === departure) missed.delete(handle);
      }
    };
    await Promise.all(Array.from({ length: DEPARTURES_AT_ONCE }, worker));
  }

  /** @throws FsError UNAVAILABLE  a view changed without the server since `settle`. */
  checkSettled(server: number): void {
    const count = this.#byServer.get(server)?.size ?? 0;
    if (count === 0) this.#byServer.delete(server);
    else throw unsettled(server, `${count} views changed without it`);
  }

  async #tell(server: number, address: string, handle: string, departure: Departure): Promise<void> {
    const { incarnation: masterSession, pool } = this.#context;
    const request = { handle, ...departure, removed: true, masterSession, serverId: server };
    try {
      const options = { timeoutMs: CHUNKSERVER_CALL_TIMEOUT_MS };
      await pool.channel(address).call(ChunkserverControlMethods.prepareView, request, options);
    } catch (error) {
      // It has no replica, or has promised as much.
      if (isFsError(error, 'CHUNK_NOT_FOUND', 'STALE_VERSION')) return;
      throw unsettled(server, `it could not be told that it left the view of chunk ${handle}: ${String(error)}`, error);
    }
  }
}

function unsettled(server: number, reason: string, cause?: unknown): FsError {
  return new FsError('UNAVAILABLE', `server ${server} gets no lease yet: ${reason}; register again`, { cause });
}
