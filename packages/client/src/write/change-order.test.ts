import { deepEqual, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { ChangeOrder, type Span } from './change-order.ts';

/** Changes that begin when the order lets them, and end when the test says. */
function changes() {
  const order = new ChangeOrder();
  const begun: string[] = [];
  const ends = new Map<string, (error?: Error) => void>();
  const change = (name: string, span: Span, signal?: AbortSignal) =>
    order.run(span, signal, () => {
      begun.push(name);
      return new Promise<void>((resolve, reject) => {
        ends.set(name, (error) => (error === undefined ? resolve() : reject(error)));
      });
    });
  const end = async (name: string, error?: Error) => {
    ends.get(name)!(error);
    await turn();
  };
  return { order, begun, change, end };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
const write = (start: number, end: number): Span => ({ kind: 'write', start, end });

test('order: writes that overlap go one after the other as they were called, the others at once', async () => {
  const { begun, change, end } = changes();
  const all = [
    change('a', write(0, 10)),
    change('b', write(10, 20)),
    change('c', write(5, 15)),
    change('d', write(14, 16)),
  ];
  await turn();
  deepEqual(begun, ['a', 'b']);
  await end('a');
  deepEqual(begun, ['a', 'b']);
  await end('b');
  deepEqual(begun, ['a', 'b', 'c']);
  await end('c');
  await end('d');
  await Promise.all(all);
});

test('order: cutting waits for all before it, and all behind it wait for the cut', async () => {
  const { begun, change, end } = changes();
  const all = [change('append', { kind: 'append' }), change('again', { kind: 'append' })];
  all.push(change('cut', { kind: 'cut' }), change('write', write(0, 1)));
  await turn();
  deepEqual(begun, ['append', 'again']);
  await end('append');
  await end('again');
  deepEqual(begun, ['append', 'again', 'cut']);
  await end('cut');
  deepEqual(begun, ['append', 'again', 'cut', 'write']);
  await end('write');
  await Promise.all(all);
});

test('order: a change that failed lets those behind it go', async () => {
  const { begun, change, end } = changes();
  const failing = rejects(change('a', write(0, 1)), /full/);
  const next = change('b', write(0, 1));
  await end('a', new Error('full'));
  await failing;
  deepEqual(begun, ['a', 'b']);
  await end('b');
  await next;
});

test('order: one that is aborted while it waits never begins, and those behind it still wait for those before it', async () => {
  const { order, begun, change, end } = changes();
  const abort = new AbortController();
  const first = change('a', write(0, 10));
  const aborted = rejects(change('b', write(5, 15), abort.signal), /not wanted/);
  const last = change('c', write(12, 20));
  abort.abort(new Error('not wanted'));
  await aborted;
  await turn();
  deepEqual(begun, ['a']);
  await end('a');
  deepEqual(begun, ['a', 'c']);
  await end('c');
  await Promise.all([first, last, order.idle()]);
});
