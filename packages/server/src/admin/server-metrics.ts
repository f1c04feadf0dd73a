/** The metrics of one server process, in the text format of Prometheus. */
import { collectDefaultMetrics, Registry } from 'prom-client';

export class ServerMetrics {
  readonly #registry = new Registry();

  /** Memory, processor time, event loop and garbage collection of this process are there from the start. */
  constructor() {
    collectDefaultMetrics({ register: this.#registry });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }
}
