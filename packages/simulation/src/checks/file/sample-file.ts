/**
 * A file that keeps its promises and no more, and clients that use it at once: histories for the tests of the check. It
 * works on bytes, shares nothing with the model, and can be told to break one promise.
 */
import { contentOf } from '../../history/content.ts';
import type { FileCall, FileOperation, FileResult } from '../../history/file-calls.ts';
import { HistoryRecorder, type OpenOperation } from '../../history/history-recorder.ts';

export type Defect =
  | 'an acknowledged write is lost'
  | 'a read is from before it began'
  | 'a write is applied in halves'
  | 'a record is appended twice'
  | 'a record is told the wrong offset'
  | 'a hole has old bytes'
  | 'a read ends too early'
  | 'a write is applied after its answer'
  | 'a put is applied chunk by chunk'
  | 'an append overwrites the end';

export interface SampleOptions {
  readonly clients: number;
  readonly operations: number;
  /** One in so many operations is cut short and its outcome unknown. */
  readonly unknownOneIn: number;
  /** A client that has nothing to do begins something at one turn in so many: 1 keeps all of them busy all the time. */
  readonly restOneIn: number;
  readonly chunkBytes: number;
  readonly defect?: Defect;
}

/** One incarnation of the file: a put makes another. */
class Incarnation {
  bytes: Uint8Array;
  /** Where chunks end besides the grid. */
  readonly seals = new Set<number>();
  cutCount = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  write(offset: number, bytes: Uint8Array, hole = 0): void {
    const size = Math.max(this.bytes.length, offset + bytes.length);
    const grown = new Uint8Array(size);
    grown.set(this.bytes);
    if (offset > this.bytes.length) {
      this.seals.add(this.bytes.length);
      grown.fill(hole, this.bytes.length, offset);
    }
    grown.set(bytes, offset);
    this.bytes = grown;
  }

  truncate(length: number): void {
    const cut = new Uint8Array(length);
    cut.set(this.bytes.subarray(0, length));
    this.seals.add(Math.min(length, this.bytes.length));
    this.bytes = cut;
    this.cutCount += 1;
  }

  /** Cuts [start, end) where chunks end. */
  parts(start: number, end: number, chunkBytes: number): [number, number][] {
    const parts: [number, number][] = [];
    for (let at = start; at < end; ) {
      let next = Math.min(end, (Math.floor(at / chunkBytes) + 1) * chunkBytes);
      for (const seal of this.seals) if (seal > at && seal < next) next = seal;
      parts.push([at, next]);
      at = next;
    }
    return parts;
  }
}

interface Client {
  readonly name: string;
  work: Generator<void, FileResult> | undefined;
  open: OpenOperation<FileResult> | undefined;
}

export function sampleHistory(draw: (below: number) => number, options: SampleOptions): readonly FileOperation[] {
  const { chunkBytes, defect } = options;
  const recorder = new HistoryRecorder();
  let file = new Incarnation(new Uint8Array(0));
  let older = file.bytes;
  const strays: Generator<void, FileResult>[] = [];
  const strikes = (chosen: Defect) => defect === chosen && draw(4) === 0;

  function* run(call: FileCall): Generator<void, FileResult> {
    yield;
    const target = file;
    switch (call.kind) {
      case 'write': {
        const bytes = contentOf(call.writeId, call.length);
        if (strikes('an acknowledged write is lost')) return {};
        if (strikes('a write is applied after its answer')) {
          strays.push(later(() => target.write(call.offset, bytes)));
          return {};
        }
        const chunkStart = call.offset - (call.offset % chunkBytes);
        if (chunkStart > target.bytes.length) {
          yield;
          target.write(chunkStart, new Uint8Array(0));
        }
        for (let at = 0; at < bytes.length; ) {
          yield;
          const [[from, to]] = target.parts(call.offset + at, call.offset + bytes.length, chunkBytes) as [
            [number, number],
          ];
          const part = bytes.subarray(from - call.offset, to - call.offset);
          const hole = strikes('a hole has old bytes') ? 7 : 0;
          if (strikes('a write is applied in halves')) target.write(from, part.subarray(0, part.length >> 1), hole);
          else target.write(from, part, hole);
          at = to - call.offset;
        }
        return {};
      }
      case 'append':
      case 'appendRecord': {
        yield;
        const bytes = contentOf(call.writeId, call.length);
        const back = strikes('an append overwrites the end') ? Math.min(10, target.bytes.length) : 0;
        const offset = target.bytes.length - back;
        target.write(offset, bytes);
        if (strikes('a record is appended twice')) target.write(target.bytes.length, bytes);
        if (call.kind === 'append') return {};
        return { offset: strikes('a record is told the wrong offset') ? offset + 1 : offset };
      }
      case 'put': {
        yield;
        const bytes = contentOf(call.writeId, call.length);
        const isTorn = strikes('a put is applied chunk by chunk');
        file = new Incarnation(isTorn ? bytes.slice(0, call.length >> 1) : bytes);
        if (!isTorn) return {};
        const torn = file;
        yield;
        yield;
        torn.bytes = bytes;
        return {};
      }
      case 'truncate':
        yield;
        target.truncate(call.length);
        return {};
      case 'size':
        yield;
        return { size: target.bytes.length };
      case 'read':
        return yield* read(target, call.offset, call.length);
    }
  }

  function* read(target: Incarnation, offset: number, length: number): Generator<void, FileResult> {
    if (strikes('a read is from before it began')) return { bytes: older.slice(offset, offset + length) };
    for (;;) {
      yield;
      const { cutCount } = target;
      const end = Math.max(offset, Math.min(offset + length, target.bytes.length));
      const bytes = new Uint8Array(strikes('a read ends too early') ? (end - offset) >> 1 : end - offset);
      for (const [from, to] of target.parts(offset, offset + bytes.length, chunkBytes)) {
        yield;
        bytes.set(target.bytes.subarray(from, to), from - offset);
      }
      if (target.cutCount === cutCount) return { bytes };
    }
  }

  const clients: Client[] = Array.from({ length: options.clients }, (_, index) => {
    return { name: `client-${index + 1}`, work: undefined, open: undefined };
  });
  let begun = 0;
  const isBusy = () => begun < options.operations || clients.some(({ work }) => work !== undefined);
  while (isBusy()) {
    if (draw(12) === 0) older = file.bytes;
    const stray = draw(6) === 0 ? strays[draw(Math.max(1, strays.length))] : undefined;
    if (stray?.next().done === true) strays.splice(strays.indexOf(stray), 1);
    const client = clients[draw(clients.length)]!;
    if (client.work === undefined) {
      if (begun === options.operations || draw(options.restOneIn) !== 0) continue;
      begun += 1;
      const call = drawCall(draw, () => recorder.nextWriteId(), chunkBytes);
      client.open = recorder.beginFile('/f', client.name, call);
      client.work = run(call);
      continue;
    }
    if (draw(options.unknownOneIn * 4) === 0) {
      if (draw(2) === 0) strays.push(client.work);
      client.open!.unknown();
      client.work = undefined;
      continue;
    }
    const { done, value } = client.work.next();
    if (done !== true) continue;
    client.open!.ok(value);
    client.work = undefined;
  }
  const last = recorder.beginFile('/f', 'client-1', { kind: 'read', offset: 0, length: 64 * chunkBytes });
  last.ok({ bytes: file.bytes.slice() });
  return recorder.files.get('/f')!;
}

function* later(act: () => void): Generator<void, FileResult> {
  yield;
  yield;
  act();
  return {};
}

function drawCall(draw: (below: number) => number, nextWriteId: () => number, chunkBytes: number): FileCall {
  const kind = draw(100);
  const length = draw(6) === 0 ? 1 + draw(2 * chunkBytes) : 1 + draw(chunkBytes / 8);
  const offset = draw(2) === 0 ? draw(3 * chunkBytes) : Math.max(0, chunkBytes * (1 + draw(2)) - draw(chunkBytes / 16));
  if (kind < 22) return { kind: 'write', writeId: nextWriteId(), offset, length };
  if (kind < 30) return { kind: 'append', writeId: nextWriteId(), length: Math.min(length, chunkBytes) };
  if (kind < 48) return { kind: 'appendRecord', writeId: nextWriteId(), length: Math.min(length, chunkBytes) };
  if (kind < 55) return { kind: 'put', writeId: nextWriteId(), length: draw(5) === 0 ? 0 : length };
  if (kind < 61) return { kind: 'truncate', length: draw(3) === 0 ? 0 : offset };
  if (kind < 91)
    return draw(2) === 0 ? { kind: 'read', offset: 0, length: 64 * chunkBytes } : { kind: 'read', offset, length };
  return { kind: 'size' };
}
