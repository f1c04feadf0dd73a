/**
 * What happened, in order, with virtual times. Two runs of one seed have the same hash; the first difference is the
 * bug.
 */
import { AssertionError, crc32c, type Log, type LogFields, utf8Bytes } from '@cairnfs/base';
import type { SimProcess } from './process.ts';

export interface TraceEntry {
  readonly atMs: number;
  readonly host: string;
  readonly event: string;
  readonly fields: LogFields;
}

export interface TraceOptions {
  /** Entries kept for reading, the latest ones; all count for the hash. */
  entriesMax: number;
}

export class Trace {
  readonly #nowMs: () => number;
  readonly #entriesMax: number;
  /** Told of each entry as it is recorded. */
  listener: ((entry: TraceEntry) => void) | undefined;
  #entries: TraceEntry[] = [];
  #hash = 0;
  #count = 0;

  constructor(nowMs: () => number, { entriesMax }: TraceOptions) {
    this.#nowMs = nowMs;
    this.#entriesMax = entriesMax;
  }

  record(host: string, event: string, fields: LogFields = {}): void {
    const entry: TraceEntry = { atMs: this.#nowMs(), host, event, fields };
    this.#hash = crc32c(utf8Bytes(formatEntry(entry)), this.#hash);
    this.#count += 1;
    this.listener?.(entry);
    this.#entries.push(entry);
    // Cut in halves, so that dropping the oldest does not cost a move of all for every entry.
    if (this.#entries.length > 2 * this.#entriesMax) this.#entries = this.#entries.slice(-this.#entriesMax);
  }

  /** Over all entries ever recorded, with their count. */
  get hash(): string {
    return `${this.#count}:${this.#hash.toString(16).padStart(8, '0')}`;
  }

  get entries(): readonly TraceEntry[] {
    return this.#entries.slice(-this.#entriesMax);
  }

  /** For a failed test's report. */
  format(): string {
    return this.entries.map(formatEntry).join('\n');
  }
}

function formatEntry({ atMs, host, event, fields }: TraceEntry): string {
  return `${atMs.toFixed(3)} ${host} ${event} ${JSON.stringify(fields, plainValue)}`;
}

function plainValue(_key: string, value: unknown): unknown {
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (typeof value === 'bigint') return value.toString();
  return value;
}

/** The log of a process goes into the trace. */
export class SimLog implements Log {
  readonly #trace: Trace;
  readonly #process: SimProcess;
  readonly #fields: LogFields;
  readonly #hasFields: boolean;

  constructor(trace: Trace, process: SimProcess, fields: LogFields = {}) {
    this.#trace = trace;
    this.#process = process;
    this.#fields = fields;
    this.#hasFields = Object.keys(fields).length > 0;
  }

  debug(message: string, fields?: LogFields): void {
    this.#record('debug', message, fields);
  }

  info(message: string, fields?: LogFields): void {
    this.#record('info', message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.#record('warn', message, fields);
  }

  error(message: string, fields?: LogFields): void {
    // Also of one that a part of the process lives on with.
    if (fields?.error instanceof AssertionError) this.#process.fail(fields.error);
    this.#record('error', message, fields);
  }

  child(fields: LogFields): Log {
    return new SimLog(this.#trace, this.#process, { ...this.#fields, ...fields });
  }

  #record(level: string, message: string, fields: LogFields | undefined): void {
    if (!this.#process.alive) return;
    const all = this.#hasFields ? { ...this.#fields, ...fields } : fields;
    this.#trace.record(this.#process.hostName, `${level} ${message}`, all);
  }
}
