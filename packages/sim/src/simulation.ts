/**
 * A whole simulation: hosts, the network between them, virtual time, and a trace. One seed decides everything that
 * is left to chance, so that it replays a run exactly.
 *
 *     const simulation = new Simulation({ seed: 7 });
 *     const seams = simulation.host('master').start();
 *     await simulation.run(serve(seams));
 */
import type { Clock } from '@cairnfs/base';
import { SimClock } from './clock.ts';
import { EventLoop, type EventObserver } from './event-loop.ts';
import { SimHost } from './host.ts';
import { Memory } from './memory.ts';
import { SimNetwork } from './network/sim-network.ts';
import { SimProcess } from './process.ts';
import { SimRandom } from './random.ts';
import { Trace } from './trace.ts';

const TRACE_ENTRIES_MAX = 10_000;

export interface SimulationOptions {
  /** An integer of 0 to 2^53-1. */
  seed: number;
  /** Trace entries kept for reading. */
  traceEntriesMax?: number;
}

export class Simulation {
  readonly seed: number;
  /** For the scenario's own choices. */
  readonly random: SimRandom;
  readonly network: SimNetwork;
  readonly trace: Trace;
  /** True virtual time, for the scenario itself; no crash touches it. */
  readonly clock: Clock;
  readonly #memory = new Memory();
  readonly #loop = new EventLoop();
  readonly #hosts = new Map<string, SimHost>();

  constructor({ seed, traceEntriesMax = TRACE_ENTRIES_MAX }: SimulationOptions) {
    this.seed = seed;
    this.random = new SimRandom(seed, 'scenario');
    this.network = new SimNetwork(this.#loop, new SimRandom(seed, 'network'), this.#memory);
    this.trace = new Trace(() => this.#loop.nowMs, { entriesMax: traceEntriesMax });
    this.clock = new SimClock(new SimProcess('scenario', this.#loop));
  }

  /** The host of that name, switched off until its `start`; made when first asked for. */
  host(name: string): SimHost {
    let host = this.#hosts.get(name);
    if (host === undefined) {
      host = new SimHost(name, {
        loop: this.#loop,
        network: this.network,
        trace: this.trace,
        memory: this.#memory,
        seed: this.seed,
      });
      this.#hosts.set(name, host);
    }
    return host;
  }

  /** Nothing of it runs any more and no disk is looked at: another simulation may use its memory. */
  end(): void {
    this.#memory.end();
  }

  get hosts(): SimHost[] {
    return [...this.#hosts.values()];
  }

  /** Virtual milliseconds since the beginning. */
  get nowMs(): number {
    return this.#loop.nowMs;
  }

  get eventCount(): number {
    return this.#loop.eventCount;
  }

  /** Lets `observer` see each event from now on; undefined: nobody. */
  observe(observer: EventObserver | undefined): void {
    this.#loop.observer = observer;
  }

  /** No virtual time passes until `work` settles: for work outside the simulation, on a real disk for instance. */
  standStill<T>(work: Promise<T>): Promise<T> {
    return this.#loop.standStill(work);
  }

  /**
   * Lets time pass until `work` settles, and returns what it settled to.
   *
   * @param limitMs virtual time after which it is given up; an hour by default.
   */
  run<T>(work: Promise<T> | (() => Promise<T>), limitMs = 60 * 60 * 1000): Promise<T> {
    return this.#loop.run(typeof work === 'function' ? work() : work, limitMs);
  }

  /** Lets so much time pass. */
  runFor(durationMs: number): Promise<void> {
    return this.run(this.clock.sleep(durationMs), Number.POSITIVE_INFINITY);
  }

  /** Lets time pass until the condition holds; looks every `intervalMs`. */
  async runUntil(condition: () => boolean, { limitMs = 60 * 60 * 1000, intervalMs = 10 } = {}): Promise<void> {
    await this.run(async () => {
      while (!condition()) await this.clock.sleep(intervalMs);
    }, limitMs);
  }
}
