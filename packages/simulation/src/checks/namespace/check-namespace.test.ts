import assert from 'node:assert/strict';
import { test } from 'node:test';
import { contentOf } from '../../history/content.ts';
import { HistoryRecorder, type OpenOperation } from '../../history/history-recorder.ts';
import type { NamespaceCall, NamespaceOperation, NamespaceResult } from '../../history/namespace-calls.ts';
import { drawer } from '../linearizability/brute-force.ts';
import { checkNamespace } from './check-namespace.ts';

const NEVER = Number.POSITIVE_INFINITY;

type Line = readonly [begin: number, end: number, call: NamespaceCall, result?: NamespaceResult | string];

function history(...lines: Line[]): NamespaceOperation[] {
  return lines.map(([begin, end, call, result = {}], index) => {
    const base = { id: index + 1, client: `client-${index + 1}`, call, begin, end };
    if (typeof result === 'string') return { ...base, outcome: { kind: 'failed', code: result } };
    return { ...base, outcome: end === NEVER ? { kind: 'unknown' } : { kind: 'ok', result } };
  });
}

function isLegal(...lines: Line[]): boolean {
  const { violation, isUndecided } = checkNamespace('/names/s0', history(...lines));
  assert.equal(isUndecided, false);
  return violation === undefined;
}

const at = (kind: 'mkdir' | 'create' | 'remove' | 'list' | 'stat' | 'read', path: string): NamespaceCall => ({
  kind,
  path,
});
const put = (path: string, writeId: number, length: number): NamespaceCall => ({ kind: 'put', path, writeId, length });
const rename = (from: string, to: string): NamespaceCall => ({ kind: 'rename', from, to });

test('create: exclusive, so that of two at once one is refused', () => {
  assert.ok(isLegal([1, 4, at('create', '/a')], [2, 3, at('create', '/a'), 'EEXIST']));
  assert.ok(!isLegal([1, 4, at('create', '/a')], [2, 3, at('create', '/a')]));
  assert.ok(!isLegal([1, 2, at('create', '/a'), 'EEXIST']));
});

test('refusals: each is explained by the names at that moment, or is a violation', () => {
  const tree: Line[] = [
    [1, 2, at('mkdir', '/d')],
    [3, 4, at('create', '/d/a')],
    [5, 6, at('create', '/f')],
  ];
  for (const [call, code] of [
    [at('mkdir', '/d'), 'EEXIST'],
    [at('mkdir', '/x/y'), 'ENOENT'],
    [at('mkdir', '/f/y'), 'ENOTDIR'],
    [put('/d', 1, 5), 'EISDIR'],
    [at('remove', '/d'), 'ENOTEMPTY'],
    [at('remove', '/x'), 'ENOENT'],
    [at('list', '/f'), 'ENOTDIR'],
    [at('read', '/d'), 'EISDIR'],
    [rename('/d', '/d/b'), 'EINVAL'],
    [rename('/f', '/d'), 'EISDIR'],
    [rename('/d', '/f'), 'ENOTDIR'],
  ] as const) {
    assert.ok(isLegal(...tree, [7, 8, call, code]), `${JSON.stringify(call)} ${code}`);
    const other = code === 'ENOENT' ? 'EEXIST' : 'ENOENT';
    assert.ok(!isLegal(...tree, [7, 8, call, other]), `${JSON.stringify(call)} ${other}`);
    assert.ok(!isLegal(...tree, [7, 8, call]), `${JSON.stringify(call)} ok`);
  }
  assert.ok(isLegal(...tree, [7, 8, at('mkdir', '/e'), 'ENOSPC'], [9, 10, at('list', ''), { names: ['d', 'f'] }]));
});

test('rename: atomic, so that a listing shows one of the two names and never both or none', () => {
  const renamed: Line[] = [
    [1, 2, at('create', '/a')],
    [3, 6, rename('/a', '/b')],
  ];
  assert.ok(isLegal(...renamed, [4, 5, at('list', ''), { names: ['a'] }]));
  assert.ok(isLegal(...renamed, [4, 5, at('list', ''), { names: ['b'] }]));
  assert.ok(!isLegal(...renamed, [4, 5, at('list', ''), { names: ['a', 'b'] }]));
  assert.ok(!isLegal(...renamed, [4, 5, at('list', ''), { names: [] }]));
});

test('rename: a directory takes what is in it along', () => {
  const moved: Line[] = [
    [1, 2, at('mkdir', '/d')],
    [3, 4, put('/d/a', 1, 9)],
    [5, 6, rename('/d', '/e')],
  ];
  assert.ok(
    isLegal(...moved, [7, 8, at('read', '/e/a'), { bytes: contentOf(1, 9) }], [9, 10, at('stat', '/d'), 'ENOENT']),
  );
  assert.ok(!isLegal(...moved, [7, 8, at('read', '/e/a'), 'ENOENT']));
});

test('put: read whole, the old content or the new', () => {
  const twice: Line[] = [
    [1, 2, put('/a', 1, 50)],
    [3, 6, put('/a', 2, 80)],
  ];
  const read = (bytes: Uint8Array): Line => [4, 5, at('read', '/a'), { bytes }];
  assert.ok(isLegal(...twice, read(contentOf(1, 50))));
  assert.ok(isLegal(...twice, read(contentOf(2, 80))));
  assert.ok(!isLegal(...twice, read(contentOf(2, 50))));
  assert.ok(!isLegal(...twice, read(new Uint8Array(0))));
  assert.ok(!isLegal(...twice, [7, 8, at('stat', '/a'), { type: 'file', size: 50 }]));
});

test('unknown: a remove may happen late or never, but the file does not come back', () => {
  const removed: Line[] = [
    [1, 2, at('create', '/a')],
    [3, NEVER, at('remove', '/a')],
  ];
  const stat = (begin: number, result: NamespaceResult | string): Line => [begin, begin + 1, at('stat', '/a'), result];
  assert.ok(isLegal(...removed, stat(4, { type: 'file', size: 0 }), stat(6, 'ENOENT')));
  assert.ok(!isLegal(...removed, stat(4, 'ENOENT'), stat(6, { type: 'file', size: 0 })));
});

test('violation: its details leave out what does not matter', () => {
  const { violation } = checkNamespace(
    '/names/s0',
    history(
      [1, 2, at('create', '/a')],
      [3, 4, at('list', ''), { names: ['a'] }],
      [5, 6, at('stat', '/a'), 'ENOENT'],
      [7, 8, at('mkdir', '/d')],
    ),
  );
  assert.equal(violation?.summary, '/names/s0: no order of the calls explains the answers');
  assert.equal(violation.details, '[1, 2] client-1 #1 create path /a: ok\n[5, 6] client-3 #3 stat path /a: ENOENT');
});

/** A plain tree, each call at one moment between begin and end; with a defect, answers are from another moment. */
function sample(seed: number, isStale: boolean): readonly NamespaceOperation[] {
  const draw = drawer(seed);
  const recorder = new HistoryRecorder();
  let tree = new Map<string, number>();
  let older = tree;
  const busy = new Map<
    string,
    { open: OpenOperation<NamespaceResult>; call: NamespaceCall; answer: NamespaceResult | string | undefined }
  >();
  const run = (call: NamespaceCall): NamespaceResult | string => {
    const seen = isStale && draw(3) === 0 ? older : tree;
    if (draw(6) === 0) older = tree;
    if (call.kind === 'rename') return 'ENOENT';
    const parent = call.path.slice(0, call.path.lastIndexOf('/'));
    if (parent !== '' && seen.get(parent) === undefined) return 'ENOENT';
    if (parent !== '' && seen.get(parent) !== -1) return 'ENOTDIR';
    if (call.kind === 'list') {
      if (call.path !== '' && seen.get(call.path) === undefined) return 'ENOENT';
      if (call.path !== '' && seen.get(call.path) !== -1) return 'ENOTDIR';
      const names = [...seen.keys()].filter((path) => path.slice(0, path.lastIndexOf('/')) === call.path);
      return { names: names.map((path) => path.slice(call.path.length + 1)).sort() };
    }
    const entry = seen.get(call.path);
    tree = new Map(tree);
    if (call.kind === 'mkdir' && entry === undefined) tree.set(call.path, -1);
    else if (call.kind === 'mkdir') return 'EEXIST';
    else if (call.kind === 'put' && entry === -1) return 'EISDIR';
    else if (call.kind === 'put') tree.set(call.path, call.writeId);
    else if (entry === undefined) return 'ENOENT';
    else if (call.kind === 'remove' && [...seen.keys()].some((path) => path.startsWith(`${call.path}/`)))
      return 'ENOTEMPTY';
    else if (call.kind === 'remove') tree.delete(call.path);
    else if (call.kind === 'stat') return entry === -1 ? { type: 'directory', size: 0 } : { type: 'file', size: 10 };
    else return entry === -1 ? 'EISDIR' : { bytes: contentOf(entry, 10) };
    return {};
  };
  for (let begun = 0; begun < 60 || busy.size > 0; ) {
    const client = `client-${draw(4)}`;
    const under = busy.get(client);
    if (under === undefined) {
      if (begun === 60 || draw(3) > 0) continue;
      begun += 1;
      const path = ['/a', '/b', '/d', '/d/a', '/d/b'][draw(5)]!;
      const kinds = ['mkdir', 'remove', 'stat', 'read', 'list'] as const;
      const kind = draw(3) === 0 ? undefined : kinds[draw(5)]!;
      const call: NamespaceCall =
        kind === undefined
          ? { kind: 'put', path, writeId: recorder.nextWriteId(), length: 10 }
          : { kind, path: kind === 'list' && draw(2) === 0 ? '' : path };
      busy.set(client, { open: recorder.beginNames('/s', client, call), call, answer: undefined });
    } else if (draw(40) === 0) {
      under.open.unknown();
      busy.delete(client);
    } else if (under.answer === undefined) {
      under.answer = run(under.call);
    } else {
      if (typeof under.answer === 'string') under.open.failed(under.answer);
      else under.open.ok(under.answer);
      busy.delete(client);
    }
  }
  return recorder.subtrees.get('/s')!;
}

test('sample tree: 200 histories are legal, and found out when answers are old', () => {
  let found = 0;
  for (let seed = 1; seed <= 200; seed += 1) {
    const { violation, isUndecided } = checkNamespace(`seed ${seed}`, sample(seed, false));
    assert.equal(violation, undefined, violation && `${violation.summary}\n${violation.details}`);
    assert.equal(isUndecided, false, `seed ${seed} is undecided`);
    if (seed <= 40 && checkNamespace('/s', sample(seed, true)).violation !== undefined) found += 1;
  }
  assert.ok(found >= 15, `in ${found} of 40 histories`);
});
