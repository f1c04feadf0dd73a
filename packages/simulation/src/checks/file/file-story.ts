/** A file's history for a person: one line for each operation, reads with the writes that their bytes are from. */
import type { FileOperation } from '../../history/file-calls.ts';
import type { Contents } from './contents.ts';

export function storyOf(operations: readonly FileOperation[], contents: Contents): string {
  const inOrder = [...operations].sort((a, b) => a.begin - b.begin);
  return inOrder.map((operation) => lineOf(operation, contents)).join('\n');
}

function lineOf({ id, client, call, begin, end, outcome }: FileOperation, contents: Contents): string {
  const { kind, ...parameters } = call;
  const asked = Object.entries(parameters).map(([name, value]) => `${name} ${value}`);
  const when = `[${begin}, ${Number.isFinite(end) ? end : '…'}]`;
  const head = `${when} ${client} #${id} ${kind} ${asked.join(', ')}`.trimEnd();
  if (outcome.kind === 'unknown') return `${head}: unknown`;
  if (outcome.kind === 'failed') return `${head}: ${outcome.code}`;
  const { offset, size, bytes } = outcome.result;
  if (bytes !== undefined && call.kind === 'read') return `${head}: ${partsOf(bytes, call.offset, contents)}`;
  return `${head}: ok${offset === undefined ? '' : ` at ${offset}`}${size === undefined ? '' : ` ${size} bytes`}`;
}

function partsOf(bytes: Uint8Array, offset: number, contents: Contents): string {
  const parts: string[] = [];
  const tell = (from: number, to: number, what: string) => {
    if (from < to) parts.push(`${from + offset}..${to + offset} ${what}`);
  };
  const tellGap = (from: number, to: number) => {
    let [low, high] = [from, to];
    while (low < to && bytes[low] === 0) low += 1;
    while (high > low && bytes[high - 1] === 0) high -= 1;
    tell(from, low, 'zeros');
    tell(low, high, 'bytes of no known write, or too few to tell');
    tell(high, to, 'zeros');
  };
  let at = 0;
  for (const { from, to, writeId, position } of contents.runsOf(bytes)) {
    tellGap(at, from);
    tell(from, to, `write ${writeId} from its byte ${position}`);
    at = to;
  }
  tellGap(at, bytes.length);
  return parts.length === 0 ? 'nothing' : parts.join('; ');
}
