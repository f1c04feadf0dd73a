import { deepEqual, equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { BYTES_TO_SERVER_MAX, FRAMES_TO_SERVER_MAX } from '../limits.ts';
import { FrameGates } from './frame-gates.ts';

/** Frames that are on their way until the test says otherwise. */
function sender() {
  const gates = new FrameGates();
  const underWay = new Map<string, () => void>();
  const send = (name: string, { address = 'a:1', bytes = 1, signal = undefined as AbortSignal | undefined } = {}) =>
    gates.pass(address, bytes, signal, () => new Promise<void>((resolve) => underWay.set(name, resolve)));
  const arrive = async (name: string) => {
    underWay.get(name)!();
    underWay.delete(name);
    await new Promise(setImmediate);
  };
  return { send, arrive, underWay: () => [...underWay.keys()] };
}

test('frame gates: frames beyond the bytes for one server wait in order, those for another do not', async () => {
  const { send, arrive, underWay } = sender();
  const most = BYTES_TO_SERVER_MAX;
  const sent = [send('1', { bytes: most - 1 }), send('2', { bytes: 2 }), send('3', { bytes: 1 })];
  sent.push(send('4', { address: 'b:1', bytes: most }));
  await new Promise(setImmediate);
  deepEqual(underWay(), ['1', '4']);
  await arrive('1');
  deepEqual(underWay(), ['4', '2', '3']);
  for (const name of underWay()) await arrive(name);
  await Promise.all(sent);
});

test('frame gates: no more frames are under way to one server than it takes, and one that fails makes room', async () => {
  const gates = new FrameGates();
  let fail = () => {};
  const first = gates.pass(
    'a:1',
    1,
    undefined,
    () => new Promise((_, reject) => (fail = () => reject(new Error('no')))),
  );
  let begun = 0;
  for (let count = 0; count < FRAMES_TO_SERVER_MAX; count += 1) {
    void gates.pass('a:1', 1, undefined, () => {
      begun += 1;
      return new Promise(() => undefined);
    });
  }
  await new Promise(setImmediate);
  equal(begun, FRAMES_TO_SERVER_MAX - 1);
  fail();
  await rejects(first, /no/);
  await new Promise(setImmediate);
  equal(begun, FRAMES_TO_SERVER_MAX);
});

test('frame gates: one that is aborted while it waits is not sent, and lets those behind it pass', async () => {
  const { send, arrive, underWay } = sender();
  const abort = new AbortController();
  const sent = [send('1', { bytes: BYTES_TO_SERVER_MAX - 1 })];
  const aborted = send('2', { bytes: 2, signal: abort.signal });
  sent.push(send('3', { bytes: 1 }));
  abort.abort(new Error('not wanted'));
  await rejects(aborted, /not wanted/);
  await new Promise(setImmediate);
  deepEqual(underWay(), ['1', '3']);
  for (const name of underWay()) await arrive(name);
  await Promise.all(sent);
  await rejects(send('4', { signal: abort.signal }), /not wanted/);
});
