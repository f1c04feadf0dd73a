/** Runs operations on the SDK and records what was asked and seen. */
import { type FsError, toFsError } from '@cairnfs/base';
import type { CairnClient } from '@cairnfs/client';
import type { Memory } from '@cairnfs/sim';
import type { FileCall, FileResult } from '../history/file-calls.ts';
import { HistoryRecorder, type OpenOperation } from '../history/history-recorder.ts';
import type { NamespaceCall, NamespaceResult } from '../history/namespace-calls.ts';
import { filePath, subtreePath } from '../schedule/schedule.ts';
import { refusalOf } from './outcome.ts';
import { performFileCall, performNamespaceCall } from './perform.ts';

interface Request<C> {
  /** Who asks: another name for each process. */
  readonly client: string;
  /** Its number in the schedule; those of the last reader have none. */
  readonly planned?: number;
  /** Told its number in the history, before anything is asked. */
  readonly begun?: (id: number) => void;
  readonly call: C;
  readonly timeoutMs: number;
}

/** Told when an operation begins and ends. */
export type OperationNote = (client: string, event: string, fields: Readonly<Record<string, unknown>>) => void;

/** Told of each error that is no refusal of the namespace. */
export type ErrorNote = (client: string, what: string, error: FsError) => void;

export class OperationRunner {
  readonly history = new HistoryRecorder();
  doneCount = 0;
  /** Errors by kind, whether they settle the outcome or not. */
  readonly errors = new Map<string, number>();
  readonly #note: OperationNote | undefined;
  readonly #failed: ErrorNote;
  readonly #memory: Memory;

  /**
   * @param memory of the run: what reads return is valid until its end.
   * @param note undefined when nobody listens: what it would be told costs more than an operation's part in the history.
   */
  constructor(memory: Memory, note: OperationNote | undefined, failed: ErrorNote) {
    this.#memory = memory;
    this.#note = note;
    this.#failed = failed;
  }

  /** @returns what was seen; undefined after an error. */
  file(
    sdk: CairnClient,
    file: number,
    { client, planned, begun, call, timeoutMs }: Request<FileCall>,
  ): Promise<FileResult | undefined> {
    const path = filePath(file);
    const open = this.history.beginFile(path, client, call);
    begun?.(open.id);
    this.#note?.(client, `begins #${open.id} ${call.kind}`, { planned, path, ...withoutKind(call), timeoutMs });
    return this.#settle(
      open,
      { client, kind: call.kind },
      performFileCall(sdk, path, call, { timeoutMs, memory: this.#memory }),
    );
  }

  names(
    sdk: CairnClient,
    subtree: number,
    { client, planned, begun, call, timeoutMs }: Request<NamespaceCall>,
  ): Promise<NamespaceResult | undefined> {
    const path = subtreePath(subtree);
    const open = this.history.beginNames(path, client, call);
    begun?.(open.id);
    this.#note?.(client, `begins #${open.id} ${call.kind}`, {
      planned,
      subtree: path,
      ...withoutKind(call),
      timeoutMs,
    });
    return this.#settle(open, { client, kind: call.kind }, performNamespaceCall(sdk, path, call, { timeoutMs }));
  }

  async #settle<R extends object>(
    open: OpenOperation<R>,
    { client, kind: what }: { client: string; kind: string },
    work: Promise<R>,
  ): Promise<R | undefined> {
    try {
      const result = await work;
      open.ok(result);
      this.doneCount += 1;
      this.#note?.(client, `ends #${open.id} ${what} ok`, Object.fromEntries(Object.entries(result)));
      return result;
    } catch (error) {
      const cause = toFsError(error);
      const { kind, message } = cause;
      this.errors.set(kind, (this.errors.get(kind) ?? 0) + 1);
      const code = refusalOf(error);
      if (code === undefined) this.#failed(client, `operation #${open.id} (${what})`, cause);
      if (code === undefined) open.unknown();
      else open.failed(code);
      const outcome = code === undefined ? `unknown, ${kind}` : `${kind} (${code})`;
      this.#note?.(client, `ends #${open.id} ${what} ${outcome}`, { message });
      return undefined;
    }
  }
}

function withoutKind({ kind: _, ...fields }: { readonly kind: string }): Record<string, unknown> {
  return fields;
}
