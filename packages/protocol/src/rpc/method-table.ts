/** The methods a server answers, with their handlers and what they cost so far. */
import { assert } from '@cairnfs/base';
import type { Method, RpcRouter, ServerStreamHandler, UnaryHandler } from './types.ts';

export interface MethodStatistics {
  readonly method: string; // 'Master.Stat'
  readonly count: number;
  readonly errorCount: number;
  /** From the request's arrival to its answer. */
  readonly totalMicroseconds: number;
}

// A handler is stored with its own method, so the two agree; the table forgets the message types they agree on.
export class MethodEntry {
  readonly method: Method<unknown, unknown>;
  readonly unary: UnaryHandler<unknown, unknown> | undefined;
  readonly stream: ServerStreamHandler<unknown, unknown> | undefined;
  count = 0;
  errorCount = 0;
  totalMicroseconds = 0;

  constructor(
    method: Method<unknown, unknown>,
    handlers: { unary?: UnaryHandler<unknown, unknown>; stream?: ServerStreamHandler<unknown, unknown> },
  ) {
    this.method = method;
    this.unary = handlers.unary;
    this.stream = handlers.stream;
  }

  /** One answer left (or found nobody waiting). */
  record(durationMs: number, isError: boolean): void {
    this.count += 1;
    if (isError) this.errorCount += 1;
    this.totalMicroseconds += durationMs * 1000;
  }
}

export class MethodTable implements RpcRouter {
  readonly #entries: (MethodEntry | undefined)[] = [];

  handle<Q, S>(method: Method<Q, S> & { stream: 'none' }, handler: UnaryHandler<Q, S>): void {
    this.#add(new MethodEntry(method, { unary: handler as UnaryHandler<unknown, unknown> }));
  }

  handleStream<Q, S>(method: Method<Q, S> & { stream: 'server' }, handler: ServerStreamHandler<Q, S>): void {
    this.#add(
      new MethodEntry(method, {
        stream: handler as ServerStreamHandler<unknown, unknown>,
      }),
    );
  }

  /** By the number on the wire. */
  find(id: number): MethodEntry | undefined {
    return this.#entries[id];
  }

  unaryHandler<Q, S>(method: Method<Q, S> & { stream: 'none' }): UnaryHandler<Q, S> | undefined {
    return this.#entries[method.id]?.unary as UnaryHandler<Q, S> | undefined;
  }

  statistics(): MethodStatistics[] {
    const statistics: MethodStatistics[] = [];
    for (const entry of this.#entries) {
      if (entry === undefined) continue;
      const { count, errorCount, totalMicroseconds } = entry;
      statistics.push({ method: entry.method.name, count, errorCount, totalMicroseconds });
    }
    return statistics;
  }

  #add(entry: MethodEntry): void {
    const { id, name } = entry.method;
    assert(this.#entries[id] === undefined, () => `method ${id} (${name}) is handled twice`);
    this.#entries[id] = entry;
  }
}
