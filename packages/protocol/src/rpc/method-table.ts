/** The methods a server answers, with their handlers and what they cost so far. */
import { assert, type ErrorCode, toFsError } from '@cairnfs/base';
import type { Method, RpcRouter, ServerStreamHandler, UnaryHandler } from './types.ts';

/** Upper ends of the buckets that durations are counted in; the last one has none. */
export const DURATION_BUCKETS_MS: readonly number[] = [0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 1000, 5000];

export interface MethodStatistics {
  readonly method: string; // 'Master.Stat'
  /** Calls answered, refused ones included. */
  readonly count: number;
  readonly errorCount: number;
  readonly errors: readonly { readonly kind: ErrorCode; readonly count: number }[];
  /** From the request's arrival to its answer. */
  readonly totalMicroseconds: number;
  /** Calls by duration: one count for each of `DURATION_BUCKETS_MS`, then that of the longer ones. */
  readonly durationCounts: readonly number[];
}

// A handler is stored with its own method, so the two agree; the table forgets the message types they agree on.
export class MethodEntry {
  readonly method: Method<unknown, unknown>;
  readonly unary: UnaryHandler<unknown, unknown> | undefined;
  readonly stream: ServerStreamHandler<unknown, unknown> | undefined;
  count = 0;
  errorCount = 0;
  totalMicroseconds = 0;
  readonly #durationCounts: number[] = new Array<number>(DURATION_BUCKETS_MS.length + 1).fill(0);
  readonly #errors = new Map<ErrorCode, number>();

  constructor(
    method: Method<unknown, unknown>,
    handlers: { unary?: UnaryHandler<unknown, unknown>; stream?: ServerStreamHandler<unknown, unknown> },
  ) {
    this.method = method;
    this.unary = handlers.unary;
    this.stream = handlers.stream;
  }

  /** One answer left (or found nobody waiting); `error` is what it told instead of a result. */
  record(durationMs: number, error: unknown): void {
    this.count += 1;
    this.totalMicroseconds += durationMs * 1000;
    let bucket = 0;
    while (bucket < DURATION_BUCKETS_MS.length && durationMs > DURATION_BUCKETS_MS[bucket]!) bucket += 1;
    this.#durationCounts[bucket]! += 1;
    if (error === undefined) return;
    this.errorCount += 1;
    const { kind } = toFsError(error);
    this.#errors.set(kind, (this.#errors.get(kind) ?? 0) + 1);
  }

  statistics(): MethodStatistics {
    const { count, errorCount, totalMicroseconds } = this;
    const errors = [...this.#errors].map(([kind, times]) => ({ kind, count: times }));
    const durationCounts = [...this.#durationCounts];
    return { method: this.method.name, count, errorCount, errors, totalMicroseconds, durationCounts };
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

  get served(): Method<unknown, unknown>[] {
    return this.#entries.filter((entry) => entry !== undefined).map(({ method }) => method);
  }

  statistics(): MethodStatistics[] {
    return this.#entries.filter((entry) => entry !== undefined).map((entry) => entry.statistics());
  }

  #add(entry: MethodEntry): void {
    const { id, name } = entry.method;
    assert(this.#entries[id] === undefined, () => `method ${id} (${name}) is handled twice`);
    this.#entries[id] = entry;
  }
}
