/** Calls over gRPC that had ended when their handlers began, or whose end nobody told. */
import assert from 'node:assert/strict';
import { connect } from 'node:http2';
import { type AddressInfo, createServer } from 'node:net';
import { test } from 'node:test';
import { type Clock, FsError, type Log } from '@cairnfs/base';
import { ANSWERS_LOOKED_AT_MS, createRpcServer, MasterDefinition, MasterMethods } from '@cairnfs/protocol';
import { GrpcCall, type SurfaceCall } from './grpc-call.ts';
import { createGrpcServer, methodDefinition } from './grpc-server.ts';
import { rawCall } from './testing/raw-call.ts';

const MIB = 1024 * 1024;
/** So far behind is the clock that tells us how much time calls have left: later than they do, as it may be. */
const BEHIND_MS = 60_000;
const CALL_MS = 50;

const log: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };
/** Until the test lets their time be over. */
const deadlines = new Set<() => void>();
let looks = 0;
const clock: Clock = {
  nowMs: () => 0,
  wallMs: () => Date.now() - BEHIND_MS,
  after(delayMs, callback) {
    if (delayMs === ANSWERS_LOOKED_AT_MS) looks += 1;
    else deadlines.add(callback);
    return { cancel: () => void deadlines.delete(callback) };
  },
  soon: (callback) => void setImmediate(callback),
  sleep: (delayMs) => new Promise((resolve) => setTimeout(resolve, delayMs)),
};
const limits = { answerBytesMax: 8 * MIB, answerShareBytesMax: 8 * MIB };
const List = methodDefinition(MasterDefinition.fullName, MasterDefinition.methods.list);

test('grpc: a call that had ended when its handler began keeps no room', { timeout: 20_000 }, async (t) => {
  const handlers = createRpcServer({ clock, log, limits });
  const reasons: unknown[] = [];
  handlers.handle(MasterMethods.list, async (_request, context) => {
    reasons.push(await Promise.resolve(context.room(MIB)).catch((error: unknown) => error));
    return { message: { entries: [], nextCursor: '' } };
  });
  const grpc = createGrpcServer({ clock, log, handlers });
  const listener = createServer((socket) => grpc.accept(socket));
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const session = connect(`http://127.0.0.1:${(listener.address() as AddressInfo).port}`);
  t.after(() => {
    session.destroy();
    listener.close();
    return grpc.close();
  });
  const request = { directory: undefined, cursor: '', limit: 0, withAttributes: false };
  const call = rawCall(session, List, request, { 'grpc-timeout': `${CALL_MS}m` });
  // The call's time ends while the end of its request is still to come.
  const headers = await new Promise<Record<string, unknown>>((resolve) => call.once('response', resolve));
  assert.equal(headers['grpc-status'], '4');
  call.end();
  while (reasons.length === 0) await clock.sleep(1);
  assert.ok(reasons[0] instanceof FsError);
  await clock.sleep(1);
  assert.deepEqual([handlers.answerBytes, handlers.callCount, looks, deadlines.size], [0, 0, 0, 0]);
});

test('grpc: a call whose end nobody told keeps its room until its time is over', () => {
  const share = createRpcServer({ clock, log, limits }).answerShare();
  const under = { cancelled: false };
  const surface: SurfaceCall & { call: typeof under } = {
    call: under,
    cancelled: false,
    getPeer: () => 'caller:1',
    getDeadline: () => Number.POSITIVE_INFINITY,
    on: () => {},
  };
  const ends: string[] = [];
  const drop = (reason: string): void => void ends.push(reason);
  const call = new GrpcCall(surface, {
    clock,
    share,
    sentBytes: () => 0,
    drop,
    endLate: ({ message }) => drop(message),
  });
  assert.equal(call.room(MIB), undefined);
  call.answering();
  under.cancelled = true;
  [...deadlines].at(-1)!();
  assert.deepEqual([share.heldBytes, ends], [0, []]);
  assert.equal(call.abortReason?.kind, 'DEADLINE_EXCEEDED');
});
