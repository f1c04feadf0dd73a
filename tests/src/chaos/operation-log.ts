/**
 * What one client process asked and saw, on disk: a line before each operation and one after it, bytes that were read in
 * a file beside. Written before anything else happens, so that a process that is killed leaves what it knew. Moments are
 * nanoseconds of the machine's monotonic clock, which all processes share.
 */
import { closeSync, openSync, readdirSync, readFileSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type {
  FileCall,
  FileOperation,
  FileResult,
  NamespaceCall,
  NamespaceOperation,
  NamespaceResult,
  Operation,
  Outcome,
} from '@cairnfs/simulation';

/** Ids of two processes never meet, and stay below what names the bytes of a write (2^28). */
const OPERATIONS_PER_PROCESS = 2 ** 17;
export const PROCESSES_MAX = 2 ** 11;

type Asked = { id: number; client: string } & (
  | { file: string; call: FileCall }
  | { subtree: string; call: NamespaceCall }
);
type Begin = Asked & { at: number };
type StoredResult = Omit<FileResult & NamespaceResult, 'bytes'> & { bytes?: { offset: number; length: number } };
type End = { id: number; end: number; outcome: Outcome<StoredResult>; error?: string };

export class OperationLog {
  readonly #lines: number;
  readonly #bytes: number;
  #bytesLength = 0;
  #nextId: number;
  readonly #endId: number;

  /** @param number  of the process, from 0; another for each. */
  constructor(folder: string, { name, number }: { name: string; number: number }) {
    this.#lines = openSync(join(folder, `${name}.log`), 'ax');
    this.#bytes = openSync(join(folder, `${name}.bytes`), 'ax');
    this.#nextId = number * OPERATIONS_PER_PROCESS + 1;
    this.#endId = (number + 1) * OPERATIONS_PER_PROCESS;
  }

  /** For one operation; also the id of what it writes. */
  nextId(): number {
    if (this.#nextId === this.#endId) throw new Error(`more than ${OPERATIONS_PER_PROCESS} operations in one process`);
    this.#nextId += 1;
    return this.#nextId - 1;
  }

  begin(asked: Asked): void {
    this.#write({ ...asked, at: nowNs() });
  }

  ok(id: number, { bytes, ...result }: FileResult & NamespaceResult): void {
    const end = nowNs();
    const stored = bytes === undefined ? result : { ...result, bytes: this.#keep(bytes) };
    this.#write({ id, end, outcome: { kind: 'ok', result: stored } });
  }

  /** @param code of a definite refusal; undefined: it may have happened, or may yet. */
  failed(id: number, code: string | undefined, error: string): void {
    this.#write({
      id,
      end: nowNs(),
      outcome: code === undefined ? { kind: 'unknown' } : { kind: 'failed', code },
      error,
    });
  }

  close(): void {
    closeSync(this.#lines);
    closeSync(this.#bytes);
  }

  #keep(bytes: Uint8Array): { offset: number; length: number } {
    writeAll(this.#bytes, bytes);
    const offset = this.#bytesLength;
    this.#bytesLength += bytes.length;
    return { offset, length: bytes.length };
  }

  #write(line: Begin | End): void {
    writeAll(this.#lines, Buffer.from(`${JSON.stringify(line)}\n`));
  }
}

export interface RecordedHistories {
  /** By path. */
  readonly files: ReadonlyMap<string, RecordedHistory<FileOperation>>;
  readonly subtrees: ReadonlyMap<string, RecordedHistory<NamespaceOperation>>;
  readonly okCount: number;
  readonly refusedCount: number;
  readonly unknownCount: number;
  /** Of operations that ended with an error, by kind. */
  readonly errors: ReadonlyMap<string, number>;
}

/** Loads the bytes that its reads saw: for one object at a time they fit in memory. */
export type RecordedHistory<O> = () => O[];

type StoredOperation<C> = Operation<C, StoredResult> & { readonly bytesPath: string };

export function readOperationLogs(folder: string): RecordedHistories {
  const files = new Map<string, StoredOperation<FileCall>[]>();
  const subtrees = new Map<string, StoredOperation<NamespaceCall>[]>();
  const errors = new Map<string, number>();
  const counts = { ok: 0, failed: 0, unknown: 0 };
  for (const { begin, end, bytesPath } of inOneOrder(readLogs(folder))) {
    const outcome = end.outcome;
    counts[outcome.kind] += 1;
    if (end.error !== undefined) errors.set(end.error, (errors.get(end.error) ?? 0) + 1);
    const { id, client } = begin;
    const common = { id, client, begin: begin.at, end: end.end, outcome, bytesPath };
    if ('file' in begin) push(files, begin.file, { ...common, call: begin.call });
    else push(subtrees, begin.subtree, { ...common, call: begin.call });
  }
  const loaded = <C>(histories: ReadonlyMap<string, readonly StoredOperation<C>[]>) =>
    new Map([...histories].map(([path, stored]) => [path, () => stored.map((operation) => load(operation))]));
  return {
    files: loaded(files),
    subtrees: loaded(subtrees),
    okCount: counts.ok,
    refusedCount: counts.failed,
    unknownCount: counts.unknown,
    errors,
  };
}

interface Recorded {
  begin: Begin;
  end: End;
  readonly bytesPath: string;
}

function readLogs(folder: string): Recorded[] {
  const recorded: Recorded[] = [];
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.log'))) {
    const bytesPath = join(folder, name.replace(/\.log$/, '.bytes'));
    const lines = readFileSync(join(folder, name), 'utf8').split('\n');
    lines.pop(); // empty, or cut off with its process
    const open = new Map<number, Recorded>();
    for (const line of lines) {
      const parsed = JSON.parse(line) as Begin | End;
      if ('at' in parsed) {
        const unknown: End = { id: parsed.id, end: Number.POSITIVE_INFINITY, outcome: { kind: 'unknown' } };
        const operation = { begin: parsed, end: unknown, bytesPath };
        open.set(parsed.id, operation);
        recorded.push(operation);
      } else {
        const isOpen = parsed.outcome.kind === 'unknown';
        open.get(parsed.id)!.end = isOpen ? { ...parsed, end: Number.POSITIVE_INFINITY } : parsed;
      }
    }
  }
  return recorded.sort((a, b) => a.begin.at - b.begin.at);
}

/** Turns nanoseconds into positions. What happened in the same nanosecond happened at once: begins come before ends. */
function inOneOrder(recorded: Recorded[]): Recorded[] {
  const events = recorded.flatMap(({ begin, end }, index) => [
    { atNs: begin.at, index, isEnd: false },
    { atNs: end.end, index, isEnd: true },
  ]);
  events.sort((a, b) => (a.atNs === b.atNs ? Number(a.isEnd) - Number(b.isEnd) : a.atNs - b.atNs));
  events.forEach(({ atNs, index, isEnd }, position) => {
    const operation = recorded[index]!;
    if (!isEnd) operation.begin = { ...operation.begin, at: position + 1 };
    else if (atNs < Number.POSITIVE_INFINITY) operation.end = { ...operation.end, end: position + 1 };
  });
  return recorded;
}

function load<C>({ bytesPath, outcome, ...operation }: StoredOperation<C>): Operation<C, FileResult & NamespaceResult> {
  if (outcome.kind !== 'ok') return { ...operation, outcome };
  const { bytes: place, ...result } = outcome.result;
  if (place === undefined) return { ...operation, outcome: { kind: 'ok', result } };
  const bytes = new Uint8Array(place.length);
  const file = openSync(bytesPath, 'r');
  for (let at = 0; at < bytes.length; ) {
    const read = readSync(file, bytes, at, bytes.length - at, place.offset + at);
    if (read === 0) throw new Error(`${bytesPath} ends before byte ${place.offset + place.length}`);
    at += read;
  }
  closeSync(file);
  return { ...operation, outcome: { kind: 'ok', result: { ...result, bytes } } };
}

function writeAll(file: number, bytes: Uint8Array): void {
  let written = 0;
  while (written < bytes.length) written += writeSync(file, bytes, written, bytes.length - written);
}

function push<T>(lists: Map<string, T[]>, key: string, value: T): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}

/** Exact in a number for the first hundred days of a machine. */
function nowNs(): number {
  return Number(process.hrtime.bigint());
}
