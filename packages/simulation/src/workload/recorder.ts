/** Runs operations on the SDK and records what was asked and seen, one history for each file and each subtree. */
import type { CairnClient } from '@cairnfs/client';
import { refusalOf } from './outcome.ts';
import { type NamespaceResult, performFileCall, performNamespaceCall } from './perform.ts';
import type { FileCall, FileResult, Moment, NamespaceCall, Operation, Outcome } from './recording.ts';

export class HistoryRecorder {
  readonly files: Operation<FileCall, FileResult>[][] = [];
  readonly subtrees: Operation<NamespaceCall, NamespaceResult>[][] = [];
  #moment: Moment = 0;
  #nextId = 1;
  okCount = 0;
  failedCount = 0;
  unknownCount = 0;

  file(
    sdk: CairnClient,
    { client, file, call, timeoutMs }: { client: string; file: number; call: FileCall; timeoutMs: number },
  ): Promise<FileResult | undefined> {
    this.files[file] ??= [];
    return this.#record(this.files[file], { client, call }, () => performFileCall(sdk, file, call, { timeoutMs }));
  }

  names(
    sdk: CairnClient,
    { client, subtree, call, timeoutMs }: { client: string; subtree: number; call: NamespaceCall; timeoutMs: number },
  ): Promise<NamespaceResult | undefined> {
    this.subtrees[subtree] ??= [];
    return this.#record(this.subtrees[subtree], { client, call }, () => performNamespaceCall(sdk, call, { timeoutMs }));
  }

  async #record<C, R>(
    history: Operation<C, R>[],
    { client, call }: { client: string; call: C },
    perform: () => Promise<R>,
  ): Promise<R | undefined> {
    const operation: Operation<C, R> = {
      id: this.#nextId++,
      client,
      call,
      begin: this.#moment++,
      end: Number.POSITIVE_INFINITY,
      outcome: { kind: 'unknown' } as Outcome<R>,
    };
    history.push(operation);
    try {
      const result = await perform();
      operation.outcome = { kind: 'ok', result };
      operation.end = this.#moment++;
      this.okCount += 1;
      return result;
    } catch (error) {
      const code = refusalOf(error);
      if (code === undefined) this.unknownCount += 1;
      else {
        this.failedCount += 1;
        operation.outcome = { kind: 'failed', code };
        operation.end = this.#moment++;
      }
      return undefined;
    }
  }
}
