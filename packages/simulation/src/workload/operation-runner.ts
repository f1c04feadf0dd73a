/** Runs operations on the SDK and records what was asked and seen. */
import { toFsError } from '@cairnfs/base';
import type { CairnClient } from '@cairnfs/client';
import type { FileCall, FileResult } from '../history/file-calls.ts';
import { HistoryRecorder, type OpenOperation } from '../history/history-recorder.ts';
import type { NamespaceCall, NamespaceResult } from '../history/namespace-calls.ts';
import { filePath, subtreePath } from '../schedule/schedule.ts';
import { refusalOf } from './outcome.ts';
import { performFileCall, performNamespaceCall } from './perform.ts';

interface Request<C> {
  /** Who asks: another name for each process. */
  readonly client: string;
  readonly call: C;
  readonly timeoutMs: number;
}

export class OperationRunner {
  readonly history = new HistoryRecorder();
  doneCount = 0;
  /** Errors by kind, whether they settle the outcome or not. */
  readonly errors = new Map<string, number>();

  /** @returns what was seen; undefined after an error. */
  file(
    sdk: CairnClient,
    file: number,
    { client, call, timeoutMs }: Request<FileCall>,
  ): Promise<FileResult | undefined> {
    const path = filePath(file);
    const open = this.history.beginFile(path, client, call);
    return this.#settle(open, performFileCall(sdk, path, call, { timeoutMs }));
  }

  names(
    sdk: CairnClient,
    subtree: number,
    { client, call, timeoutMs }: Request<NamespaceCall>,
  ): Promise<NamespaceResult | undefined> {
    const path = subtreePath(subtree);
    const open = this.history.beginNames(path, client, call);
    return this.#settle(open, performNamespaceCall(sdk, path, call, { timeoutMs }));
  }

  async #settle<R>(open: OpenOperation<R>, work: Promise<R>): Promise<R | undefined> {
    try {
      const result = await work;
      open.ok(result);
      this.doneCount += 1;
      return result;
    } catch (error) {
      const { kind } = toFsError(error);
      this.errors.set(kind, (this.errors.get(kind) ?? 0) + 1);
      const code = refusalOf(error);
      if (code === undefined) open.unknown();
      else open.failed(code);
      return undefined;
    }
  }
}
