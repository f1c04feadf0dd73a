/** Records what the clients of one run ask and see: a history for each file and for each subtree of names. */
import { assert } from '@cairnfs/base';
import type { FileCall, FileOperation, FileResult } from './file-calls.ts';
import type { NamespaceCall, NamespaceOperation, NamespaceResult } from './namespace-calls.ts';
import type { Moment, Operation, Outcome } from './operation.ts';

/** An operation under way. Ends once; one that never ends has an unknown outcome. */
export interface OpenOperation<R> {
  readonly id: number;
  ok(result: R): void;
  failed(code: string): void;
  unknown(): void;
}

export class HistoryRecorder {
  #moment: Moment = 0;
  #operations = 0;
  #writes = 0;
  readonly #files = new Map<string, FileOperation[]>();
  readonly #subtrees = new Map<string, NamespaceOperation[]>();

  /** By path, each in order of begin. */
  get files(): ReadonlyMap<string, readonly FileOperation[]> {
    return this.#files;
  }

  /** By the folder's path, each in order of begin. */
  get subtrees(): ReadonlyMap<string, readonly NamespaceOperation[]> {
    return this.#subtrees;
  }

  /** The moment of the last event. */
  get moment(): Moment {
    return this.#moment;
  }

  /** An id that no write of the run has had; from 1. */
  nextWriteId(): number {
    this.#writes += 1;
    return this.#writes;
  }

  beginFile(path: string, client: string, call: FileCall): OpenOperation<FileResult> {
    return this.#begin(this.#files, path, client, call);
  }

  beginNames(subtree: string, client: string, call: NamespaceCall): OpenOperation<NamespaceResult> {
    return this.#begin(this.#subtrees, subtree, client, call);
  }

  #begin<C, R>(histories: Map<string, Operation<C, R>[]>, object: string, client: string, call: C): OpenOperation<R> {
    const history = histories.get(object) ?? [];
    histories.set(object, history);
    this.#operations += 1;
    this.#moment += 1;
    const begun: Operation<C, R> = {
      id: this.#operations,
      client,
      call,
      begin: this.#moment,
      end: Number.POSITIVE_INFINITY,
      outcome: { kind: 'unknown' },
    };
    const index = history.push(begun) - 1;
    let isOpen = true;
    const end = (outcome: Outcome<R>) => {
      assert(isOpen, `operation ${begun.id} ends twice, now as ${outcome.kind}`);
      isOpen = false;
      if (outcome.kind === 'unknown') return;
      this.#moment += 1;
      history[index] = { ...begun, end: this.#moment, outcome };
    };
    return {
      id: begun.id,
      ok: (result) => end({ kind: 'ok', result }),
      failed: (code) => end({ kind: 'failed', code }),
      unknown: () => end({ kind: 'unknown' }),
    };
  }
}
