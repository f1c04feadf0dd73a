import assert from 'node:assert/strict';
import { test } from 'node:test';
import { contentOf } from '../../history/content.ts';
import type { FileCall, FileOperation, FileResult } from '../../history/file-calls.ts';
import { contentsOf } from './check-file.ts';
import { prepareFile } from './file-intervals.ts';
import type { Piece } from './file-state.ts';

const CHUNK = 128 * 1024;
const RULES = { chunkBytes: CHUNK, recordBytesMax: CHUNK };

/** One after the other, but for the moments given. */
class History {
  readonly operations: FileOperation[] = [];

  add(call: FileCall, result: FileResult | 'unknown' = {}, { begin = 0, end = 0 } = {}): this {
    const at = 10 * (this.operations.length + 1);
    const moments = { begin: begin || at, end: result === 'unknown' ? Number.POSITIVE_INFINITY : end || at + 1 };
    const outcome = result === 'unknown' ? ({ kind: result } as const) : ({ kind: 'ok', result } as const);
    this.operations.push({ id: this.operations.length + 1, client: 'client-1', call, ...moments, outcome });
    return this;
  }

  /** The parts of a write that are tried first. */
  partsOf(writeId: number): { piece: Piece; isOptional: boolean }[] {
    const { likely } = prepareFile(this.operations, RULES, contentsOf(this.operations));
    return likely.intervals.flatMap(({ operation, isOptional }) =>
      operation.kind === 'write' && operation.piece.writeId === writeId ? [{ piece: operation.piece, isOptional }] : [],
    );
  }
}

test('likely: a part too short for a proof is tried at once where a read shows bytes like it, and need not have happened', () => {
  const base = contentOf(1, CHUNK + 1000);
  const read = (writeId: number): FileResult => {
    const bytes = Buffer.from(base);
    bytes.set(contentOf(writeId, 3), CHUNK - 3);
    return { bytes };
  };
  const written = new History()
    .add({ kind: 'put', writeId: 1, length: base.length })
    .add({ kind: 'write', writeId: 2, offset: CHUNK - 3, length: 100 }, 'unknown')
    .add({ kind: 'truncate', length: base.length })
    .add({ kind: 'read', offset: 0, length: 2 * CHUNK }, read(2));
  const origin = CHUNK - 3;
  assert.deepEqual(written.partsOf(2), [
    { piece: { start: CHUNK - 3, end: CHUNK, writeId: 2, origin }, isOptional: true },
  ]);
});

test('parts: an append of which nobody saw a byte cuts a write in few places, though chunks may end at many', () => {
  const history = new History();
  for (let index = 0; index < 40; index += 1) {
    history.add({ kind: 'appendRecord', writeId: 100 + index, length: 100 }, { offset: 100 * index });
  }
  history
    .add({ kind: 'truncate', length: 0 })
    .add({ kind: 'write', writeId: 2, offset: CHUNK, length: 20_000 }, {}, { begin: 1000, end: 1010 })
    .add({ kind: 'append', writeId: 3, length: 50 }, {}, { begin: 1001, end: 1002 })
    .add({ kind: 'put', writeId: 4, length: 0 }, {}, { begin: 1020, end: 1021 });
  const parts = history.partsOf(2);
  assert.ok(parts.length <= 3, `${parts.length} parts`);
});
