/**
 * What one simulated host costs in real time. Every event of the simulation says on which host it runs; the meter reads
 * the process's counters before it and after all that it set going. Time in which the simulation stands still belongs to
 * the state store's own threads: nothing else runs then.
 */
import type { EventObserver } from '@cairnfs/sim';

/** The real machine's counters, milliseconds. */
export interface RealCounters {
  nowMs(): number;
  /** Of this process, all threads. */
  cpuMs(): number;
}

/** On the real machine's clock, milliseconds. */
export interface Interval {
  readonly startMs: number;
  readonly endMs: number;
}

export interface Cost {
  readonly cpuMs: number;
  /** Of the state store's threads while the simulation stood still. */
  readonly storeCpuMs: number;
  readonly eventCount: number;
  /** The longest single event, by the processor time that it took. */
  readonly longestCpuMs: number;
  /** The longest single event by the clock: other processes on the machine make it longer. */
  readonly longestMs: number;
  /** Events above the limit, by processor time. */
  readonly blocked: readonly Interval[];
}

const FREE: Cost = { cpuMs: 0, storeCpuMs: 0, eventCount: 0, longestCpuMs: 0, longestMs: 0, blocked: [] };

/** By which the cost of reading the counters is known. */
const READINGS = 10_000;

export class CostMeter implements EventObserver {
  readonly #host: string;
  readonly #counters: RealCounters;
  readonly #blockedMs: number;
  #cost: Cost = FREE;
  #began: { nowMs: number; cpuMs: number } | undefined;
  #stoodAtCpuMs = 0;
  /** What reading the counters adds to an event. */
  readonly #readingMs: number;

  /** @param blockedMs an event above this blocked the event loop. */
  constructor(host: string, counters: RealCounters, { blockedMs }: { blockedMs: number }) {
    this.#host = host;
    this.#counters = counters;
    this.#blockedMs = blockedMs;
    const startMs = counters.cpuMs();
    for (let count = 0; count < READINGS; count += 1) counters.cpuMs();
    this.#readingMs = (counters.cpuMs() - startMs) / (READINGS + 1);
  }

  /** Since the last call. */
  take(): Cost {
    const cost = this.#cost;
    this.#cost = FREE;
    return cost;
  }

  began(owner: string | undefined): void {
    if (owner !== this.#host) return;
    this.#began = { nowMs: this.#counters.nowMs(), cpuMs: this.#counters.cpuMs() };
  }

  ended(): void {
    if (this.#began === undefined) return;
    const cpuMs = Math.max(0, this.#counters.cpuMs() - this.#began.cpuMs - this.#readingMs);
    const event = { startMs: this.#began.nowMs, endMs: this.#counters.nowMs() };
    const durationMs = event.endMs - event.startMs;
    this.#began = undefined;
    const before = this.#cost;
    this.#cost = {
      cpuMs: before.cpuMs + cpuMs,
      storeCpuMs: before.storeCpuMs,
      eventCount: before.eventCount + 1,
      longestCpuMs: Math.max(before.longestCpuMs, cpuMs),
      longestMs: Math.max(before.longestMs, durationMs),
      // One that was put aside by other processes did not compute for so long.
      blocked: Math.min(cpuMs, durationMs) > this.#blockedMs ? [...before.blocked, event] : before.blocked,
    };
  }

  stood(isStanding: boolean): void {
    const cpuMs = this.#counters.cpuMs();
    if (isStanding) this.#stoodAtCpuMs = cpuMs;
    else this.#cost = { ...this.#cost, storeCpuMs: this.#cost.storeCpuMs + cpuMs - this.#stoodAtCpuMs };
  }
}
