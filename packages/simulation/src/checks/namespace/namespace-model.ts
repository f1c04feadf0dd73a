/**
 * Names below one folder: files and directories by path. Every call is one atomic step (docs/spec/namespace.md), and what it
 * answers must be explained by the state at that moment: names, sizes and bytes, and refusals too. A refusal changes nothing.
 */
import type { NamespaceCall, NamespaceOperation } from '../../history/namespace-calls.ts';
import type { Contents } from '../file/contents.ts';
import type { Model } from '../linearizability/model.ts';

/** Refusals that speak of the names; others (no space, no such upload any more) say nothing about them. */
export const JUDGED_CODES: ReadonlySet<string> = new Set([
  'ENOENT',
  'EEXIST',
  'ENOTEMPTY',
  'ENOTDIR',
  'EISDIR',
  'EINVAL',
]);

const DIRECTORY = 'directory';

/** A file by the write it was put with. */
interface File {
  readonly writeId: number;
  readonly length: number;
}

type Entry = typeof DIRECTORY | File;

export interface NamespaceState {
  /** Without the folder itself. */
  readonly entries: ReadonlyMap<string, Entry>;
  readonly key: string;
}

export class NamespaceModel implements Model<NamespaceState, NamespaceOperation> {
  readonly initial: NamespaceState = stateOf(new Map());
  readonly #contents: Contents;

  constructor(contents: Contents) {
    this.#contents = contents;
  }

  step(state: NamespaceState, operation: NamespaceOperation): readonly NamespaceState[] | undefined {
    const { call, outcome } = operation;
    const after = apply(state, call);
    if (outcome.kind === 'failed') return after === outcome.code ? [state] : undefined;
    if (typeof after === 'string') return undefined;
    return outcome.kind === 'unknown' || this.#shows(state, operation) ? [after] : undefined;
  }

  key({ key }: NamespaceState): string {
    return key;
  }

  isObserver({ call, outcome }: NamespaceOperation): boolean {
    return outcome.kind === 'failed' || isObservation(call);
  }

  #shows({ entries }: NamespaceState, { call, outcome }: NamespaceOperation): boolean {
    if (outcome.kind !== 'ok' || !isObservation(call)) return true;
    const { names, type, size, bytes } = outcome.result;
    if (call.kind === 'list') return names === undefined || names.join('/') === namesIn(entries, call.path).join('/');
    const entry = entryAt(entries, call.path);
    if (entry === DIRECTORY || entry === undefined) return type === undefined || type === 'directory';
    if (call.kind === 'stat') return type !== 'directory' && (size === undefined || size === entry.length);
    if (bytes === undefined) return true;
    return bytes.length === entry.length && this.#contents.equal(bytes, 0, bytes.length, entry.writeId, 0);
  }
}

export function isObservation(
  call: NamespaceCall,
): call is NamespaceCall & { readonly kind: 'list' | 'stat' | 'read' } {
  return call.kind === 'list' || call.kind === 'stat' || call.kind === 'read';
}

/** The state after the call, or the code with which it is refused; checks come in the order of the master's. */
function apply(state: NamespaceState, call: NamespaceCall): NamespaceState | string {
  const { entries } = state;
  if (call.kind === 'rename') return rename(state, call.from, call.to);
  const obstacle = obstacleTo(entries, call.path);
  if (obstacle !== undefined) return obstacle;
  const entry = entryAt(entries, call.path);
  switch (call.kind) {
    case 'mkdir':
      return entry === undefined ? withEntry(entries, call.path, DIRECTORY) : 'EEXIST';
    case 'create':
      return entry === undefined ? withEntry(entries, call.path, { writeId: 0, length: 0 }) : 'EEXIST';
    case 'put':
      if (entry === DIRECTORY) return 'EISDIR';
      return withEntry(entries, call.path, { writeId: call.writeId, length: call.length });
    case 'remove': {
      if (entry === undefined) return 'ENOENT';
      if (below(entries, call.path).length > 0) return 'ENOTEMPTY';
      const left = new Map(entries);
      left.delete(call.path);
      return stateOf(left);
    }
    case 'list':
      if (entry === undefined) return 'ENOENT';
      return entry === DIRECTORY ? state : 'ENOTDIR';
    case 'stat':
      return entry === undefined ? 'ENOENT' : state;
    case 'read':
      if (entry === undefined) return 'ENOENT';
      return entry === DIRECTORY ? 'EISDIR' : state;
  }
}

function rename(state: NamespaceState, from: string, to: string): NamespaceState | string {
  const { entries } = state;
  const obstacle = obstacleTo(entries, from);
  if (obstacle !== undefined) return obstacle;
  const source = entryAt(entries, from);
  if (source === undefined) return 'ENOENT';
  const inTheWay = obstacleTo(entries, to);
  if (inTheWay !== undefined) return inTheWay;
  if (from === to) return state;
  if (to.startsWith(`${from}/`)) return 'EINVAL';
  const target = entryAt(entries, to);
  if (target === DIRECTORY && source !== DIRECTORY) return 'EISDIR';
  if (target !== undefined && target !== DIRECTORY && source === DIRECTORY) return 'ENOTDIR';
  if (target === DIRECTORY && below(entries, to).length > 0) return 'ENOTEMPTY';
  const moved = new Map(entries);
  for (const path of [from, ...below(entries, from)]) {
    moved.set(to + path.slice(from.length), entries.get(path)!);
    moved.delete(path);
  }
  return stateOf(moved);
}

/** What stands in the way to the last name of the path. */
function obstacleTo(entries: NamespaceState['entries'], path: string): string | undefined {
  for (let slash = path.indexOf('/', 1); slash > 0; slash = path.indexOf('/', slash + 1)) {
    const entry = entries.get(path.slice(0, slash));
    if (entry === undefined) return 'ENOENT';
    if (entry !== DIRECTORY) return 'ENOTDIR';
  }
  return undefined;
}

function entryAt(entries: NamespaceState['entries'], path: string): Entry | undefined {
  return path === '' ? DIRECTORY : entries.get(path);
}

function below(entries: NamespaceState['entries'], path: string): string[] {
  return [...entries.keys()].filter((other) => other.startsWith(`${path}/`));
}

function namesIn(entries: NamespaceState['entries'], path: string): string[] {
  const names = below(entries, path).map((other) => other.slice(path.length + 1));
  return names.filter((name) => !name.includes('/')).sort();
}

function withEntry(entries: NamespaceState['entries'], path: string, entry: Entry): NamespaceState {
  return stateOf(new Map(entries).set(path, entry));
}

function stateOf(entries: NamespaceState['entries']): NamespaceState {
  const parts: string[] = [];
  for (const [path, entry] of entries) parts.push(entry === DIRECTORY ? `${path} /` : `${path} ${entry.writeId}`);
  return { entries, key: parts.sort().join('\n') };
}
