/** A file's history for a person: one line for each operation, reads with the writes that their bytes are from. */
import type { FileOperation } from '../../history/file-calls.ts';
import type { Contents } from './contents.ts';
import { HOLE } from './file-state.ts';

export function storyOf(operations: readonly FileOperation[], contents: Contents): string {
  const writes = writesOf(operations);
  const inOrder = [...operations].sort((a, b) => a.begin - b.begin);
  return inOrder.map((operation) => lineOf(operation, writes, contents)).join('\n');
}

function lineOf(
  { id, client, call, begin, end, outcome }: FileOperation,
  writes: readonly Origin[],
  contents: Contents,
): string {
  const { kind, ...parameters } = call;
  const asked = Object.entries(parameters).map(([name, value]) => `${name} ${value}`);
  const when = `[${begin}, ${Number.isFinite(end) ? end : '…'}]`;
  const head = `${when} ${client} #${id} ${kind} ${asked.join(', ')}`.trimEnd();
  if (outcome.kind === 'unknown') return `${head}: unknown`;
  if (outcome.kind === 'failed') return `${head}: ${outcome.code}`;
  const { offset, size, bytes } = outcome.result;
  if (bytes !== undefined && call.kind === 'read') return `${head}: ${runsOf(bytes, call.offset, writes, contents)}`;
  return `${head}: ok${offset === undefined ? '' : ` at ${offset}`}${size === undefined ? '' : ` ${size} bytes`}`;
}

/** Fewer may be alike by accident. */
const ALIKE_BYTES = 8;

/** Where position 0 of a write may lie. */
interface Origin {
  readonly writeId: number;
  readonly length: number;
  readonly origin: number | undefined;
}

function writesOf(operations: readonly FileOperation[]): Origin[] {
  const writes: Origin[] = [{ writeId: HOLE, length: Number.POSITIVE_INFINITY, origin: 0 }];
  for (const { call, outcome } of operations) {
    if (!('writeId' in call)) continue;
    const told = outcome.kind === 'ok' ? outcome.result.offset : undefined;
    const origin = call.kind === 'write' ? call.offset : call.kind === 'put' ? 0 : told;
    writes.push({ writeId: call.writeId, length: call.length, origin });
  }
  return writes;
}

/** From each place on, the write that explains most bytes. */
function runsOf(bytes: Uint8Array, offset: number, writes: readonly Origin[], contents: Contents): string {
  const runs: string[] = [];
  let unexplained = 0;
  for (let at = 0; at < bytes.length; ) {
    const best = longestMatch(bytes, at, offset, writes, contents);
    if (best.length >= ALIKE_BYTES || at + best.length === bytes.length) {
      runs.push(`${at + offset}..${at + offset + best.length} ${best.text}`);
      at += best.length;
      unexplained = at;
      continue;
    }
    // What explains nothing here is tried again where a write begins.
    const starts = writes.flatMap(({ origin }) =>
      origin === undefined || origin <= at + offset ? [] : [origin - offset],
    );
    at = Math.min(bytes.length, ...starts);
    runs.push(`${unexplained + offset}..${at + offset} bytes of no known place`);
    unexplained = at;
  }
  return runs.length === 0 ? 'nothing' : runs.join('; ');
}

function longestMatch(
  bytes: Uint8Array,
  at: number,
  offset: number,
  writes: readonly Origin[],
  contents: Contents,
): { text: string; length: number } {
  let best = { text: '', length: 0 };
  for (const write of writes) {
    // A place that is not known is guessed to begin here.
    const position = write.writeId === HOLE ? 0 : at + offset - (write.origin ?? at + offset);
    const length = matchLength(bytes, at, write, position, contents);
    const text = write.writeId === HOLE ? 'zeros' : `write ${write.writeId} from its byte ${position}`;
    if (length > best.length) best = { text, length };
  }
  return best;
}

function matchLength(bytes: Uint8Array, at: number, write: Origin, position: number, contents: Contents): number {
  if (position < 0 || position >= write.length) return 0;
  let low = 0;
  let high = Math.min(bytes.length - at, write.length - position);
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (contents.equal(bytes, at, at + middle, write.writeId, position)) low = middle;
    else high = middle - 1;
  }
  return low;
}
