/**
 * A client that forgets nothing: it reads under versions that are over, from every server that held the chunk then, as soon as
 * anything may have gone wrong: when a view was confirmed, for a while, and when a server has started again. Any client may hold on to
 * what it was once told for so long, so nobody may answer it (workload/serving-watch.ts looks at the answers); others come by
 * the moment only by chance.
 */
import {
  type ChunkLocation,
  ChunkserverDataMethods,
  createRpcPool,
  MasterControlMethods,
  MasterMethods,
} from '@cairnfs/protocol';
import type { Simulation, TraceEntry } from '@cairnfs/sim';
import { responseOf, type WireFrame, type WireListener } from '../wire/wire-tap.ts';

const { locate, openExtent } = MasterMethods;
const OLD_READER = 'old-reader';
const VIEW_CHANGED = 'info view changed';
const STARTED = 'start';
/** After the view was confirmed: at once, and as messages that are late come in. */
const AFTER_VIEW_MS = [0, 30, 300, 2000, 5000, 9000, 14_000];
/** After the answer that brings a server its first lease was sent. */
const AFTER_LEASE_MS = [1, 3, 10, 50, 300, 1000];
const CALL_TIMEOUT_MS = 1000;
/** Of each chunk, the latest. */
const VERSIONS_KEPT = 3;
/** Those that changed their view or were told of last. */
const CHUNKS_KEPT = 100;

interface Known {
  /** The last one that was confirmed. */
  confirmedVersion: number;
  /** What the master told of each version. */
  readonly told: Map<number, ChunkLocation>;
}

export class OldReader implements WireListener {
  readonly #simulation: Simulation;
  readonly #chunks = new Map<string, Known>();
  /** Servers that have had no lease since their start. */
  readonly #starting = new Set<string>();
  #pool: ReturnType<typeof createRpcPool> | undefined;

  constructor(simulation: Simulation) {
    this.#simulation = simulation;
  }

  /** From now on it reads. */
  start(): void {
    const { clock, random, network, log } = this.#simulation.host(OLD_READER).start();
    this.#pool = createRpcPool({ clock, random, network, log });
  }

  end(): void {
    this.#pool = undefined;
    this.#simulation.host(OLD_READER).crash({ unsynced: 'lose' });
  }

  logged({ host, event, fields }: TraceEntry): void {
    if (event === STARTED) this.#starting.add(host);
    if (event !== VIEW_CHANGED) return;
    const handle = String(fields.handle);
    const known = this.#known(handle);
    known.confirmedVersion = Math.max(known.confirmedVersion, Number(fields.version));
    for (const afterMs of AFTER_VIEW_MS) this.#after(afterMs, () => this.#readOld(handle));
  }

  sent(frame: WireFrame): void {
    if (frame.role !== 'response') return;
    const beat = this.#starting.has(frame.to) ? responseOf(frame, MasterControlMethods.heartbeat) : undefined;
    if (beat?.leaseWithheld === false) this.#serves(frame.to);
    this.#learn(responseOf(frame, openExtent)?.extent?.chunk);
    for (const { chunk } of responseOf(frame, locate)?.extents ?? []) this.#learn(chunk);
  }

  #serves(server: string): void {
    this.#starting.delete(server);
    for (const afterMs of AFTER_LEASE_MS) {
      this.#after(afterMs, () => {
        for (const handle of this.#chunks.keys()) this.#readOld(handle, server);
      });
    }
  }

  #learn(location: ChunkLocation | undefined): void {
    if (location === undefined) return;
    const { told } = this.#known(location.handle);
    told.set(location.version, location);
    if (told.size > VERSIONS_KEPT) told.delete(Math.min(...told.keys()));
  }

  #known(handle: string): Known {
    const known = this.#chunks.get(handle) ?? { confirmedVersion: 0, told: new Map() };
    this.#chunks.delete(handle); // the latest last
    this.#chunks.set(handle, known);
    if (this.#chunks.size > CHUNKS_KEPT) this.#chunks.delete(this.#chunks.keys().next().value!);
    return known;
  }

  /** From that server, or all that held the chunk. */
  #readOld(handle: string, server?: string): void {
    const known = this.#chunks.get(handle);
    if (known === undefined) return;
    for (const [version, { replicas, length, sequence }] of known.told) {
      if (version >= known.confirmedVersion) continue;
      const request = { handle, version, offset: 0, length: 1, knownLength: length, knownSequence: sequence };
      for (const { address } of replicas) {
        if (server !== undefined && !address.startsWith(`${server}:`)) continue;
        this.#pool
          ?.channel(address)
          .call(ChunkserverDataMethods.readChunk, request, { timeoutMs: CALL_TIMEOUT_MS })
          .catch(() => {}); // as it should be
      }
    }
  }

  #after(delayMs: number, work: () => void): void {
    if (this.#pool === undefined) return;
    this.#simulation.clock.after(delayMs, work);
  }
}
