/**
 * The metrics of one server process, in the text format of Prometheus. The product counts in plain numbers; they are
 * read, all at one moment, when somebody asks.
 */
import type { RpcStatistics } from '@cairnfs/protocol';
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { Family } from './family.ts';
import { durationHistogram } from './rpc-metrics.ts';

/** Each sample wakes the process; a hundred a second of an idle server are too many. */
const EVENT_LOOP_SAMPLE_MS = 100;

export class ServerMetrics<S extends { readonly rpc: RpcStatistics }> {
  /** Memory, processor time, event loop and garbage collection: there from the start. */
  readonly #process = new Registry();
  readonly #product = new Registry();
  readonly #metrics: { readonly family: Family<S>; readonly metric: Gauge | Counter }[];
  readonly #read: () => S | undefined;

  /** @param read undefined while the server starts. */
  constructor(families: readonly Family<S>[], read: () => S | undefined) {
    collectDefaultMetrics({ register: this.#process, eventLoopMonitoringPrecision: EVENT_LOOP_SAMPLE_MS });
    this.#metrics = families.map((family) => ({ family, metric: register(this.#product, family) }));
    this.#read = read;
  }

  get contentType(): string {
    return this.#process.contentType;
  }

  async text(): Promise<string> {
    const statistics = this.#read();
    const ofProcess = await this.#process.metrics();
    return statistics === undefined ? ofProcess : `${await this.#textOf(statistics)}\n${ofProcess}`;
  }

  #textOf(statistics: S): Promise<string> {
    for (const { family, metric } of this.#metrics) {
      metric.reset();
      const read = family.read(statistics);
      for (const { labels, value } of typeof read === 'number' ? [{ labels: {}, value: read }] : read) {
        metric.inc(labels, value);
      }
    }
    // The values are taken before this returns: readers at the same time do not see each other's.
    return this.#product.metrics().then((text) => `${text}\n${durationHistogram(statistics.rpc)}`);
  }
}

function register(registry: Registry, { name, help, type, labels }: Family<never>): Gauge | Counter {
  const configuration = { name, help, labelNames: labels ?? [], registers: [registry] };
  return type === 'gauge' ? new Gauge(configuration) : new Counter(configuration);
}
