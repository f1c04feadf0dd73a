import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { FsError, isFsError } from '@cairnfs/base';
import { closedUnheard, MasterMethods, type OperationId } from '@cairnfs/protocol';
import type { Retry } from '../options.ts';
import { type ScriptedCall, scriptedCalls } from '../testing/scripted-pool.ts';

const RENAME = { from: '/a', to: '/b', noReplace: false };

test('master call: a change keeps its operation number through retries, and tries another master', async () => {
  const seen: ScriptedCall[] = [];
  const calls = scriptedCalls((call) => {
    seen.push(call);
    if (seen.length < 4) throw new FsError('CONNECTION_LOST', 'gone');
    return {};
  });
  await calls.change(MasterMethods.rename, RENAME, calls.deadline({}));
  deepEqual(new Set(seen.map(({ address }) => address)), new Set(['m1:1', 'm2:1']));
  deepEqual(new Set(seen.map(({ request }) => (request.operation as OperationId).number)), new Set([1]));
});

test('master call: an operation is settled only when it ended, so numbers below open ones are not given up', async () => {
  const settled: number[] = [];
  let release = () => {};
  const calls = scriptedCalls(({ request }) => {
    const { number, settledBelow } = request.operation as OperationId;
    settled.push(settledBelow);
    return number === 1 ? new Promise((resolve) => (release = () => resolve({}))) : {};
  });
  const first = calls.change(MasterMethods.rename, RENAME, calls.deadline({}));
  await calls.change(MasterMethods.rename, RENAME, calls.deadline({}));
  release();
  await first;
  await calls.change(MasterMethods.rename, RENAME, calls.deadline({}));
  deepEqual(settled, [1, 1, 3]);
});

test('master call: where no server of ours listens it ends at once, unless another master answers', async () => {
  const foreign = new FsError('FOREIGN_PROTOCOL', 'an HTTP server');
  const call = async (script: (call: ScriptedCall) => unknown) => {
    const calls = scriptedCalls(script);
    await calls.change(MasterMethods.rename, RENAME, calls.deadline({}));
  };
  const asked: string[] = [];
  const none = call(({ address }) => {
    asked.push(address);
    throw foreign;
  });
  await rejects(none, { kind: 'FOREIGN_PROTOCOL' });
  deepEqual(asked, ['m1:1', 'm2:1']);
  await call(({ address }) => {
    if (address === 'm1:1') throw foreign;
    return {};
  });
});

test('master call: something else at the address of a master that was there is waited out: what was sent may be done', async () => {
  for (const first of [undefined, new FsError('CONNECTION_LOST', 'gone')]) {
    let count = 0;
    const calls = scriptedCalls(() => {
      count += 1;
      if (count === 1 && first !== undefined) throw first;
      if (count > 1 && count < 6) throw new FsError('FOREIGN_PROTOCOL', 'a proxy says 502');
      return {};
    });
    const change = () => calls.change(MasterMethods.rename, RENAME, calls.deadline({}));
    await change();
    await change();
    ok(count >= 6);
  }
});

test('master call: what closes every connection without a word is taken for no server after a few', async () => {
  const closing = (restart?: number) => {
    let count = 0;
    const calls = scriptedCalls(() => {
      count += 1;
      if (count === restart) throw new FsError('CONNECTION_REFUSED', 'nobody listens');
      if (count > 15) return {};
      throw new FsError('CONNECTION_REFUSED', 'closed', { details: closedUnheard() });
    });
    return calls.change(MasterMethods.rename, RENAME, calls.deadline({})).then(() => count);
  };
  const message = /^what listens at m[12]:1 is not a CairnFS server: it closes every connection without a word;/;
  await rejects(closing(), { kind: 'FOREIGN_PROTOCOL', message });
  // A server that starts is not there for a while as well.
  equal(await closing(8), 16);
});

test('master call: another kind of server is named, and every failure tells that it is of the master', async () => {
  const details = { services: 'ChunkserverData,ChunkserverControl' };
  const calls = scriptedCalls(() => {
    throw new FsError('UNKNOWN_METHOD', 'method 5 is not served here', { details });
  });
  const call = calls.change(MasterMethods.rename, RENAME, calls.deadline({}));
  await rejects(call, {
    kind: 'UNKNOWN_METHOD',
    message: 'm1:1 is a chunkserver',
    details: { ...details, master: 'm1:1' },
  });
  const refused = scriptedCalls(() => {
    throw new FsError('CONNECTION_REFUSED', 'why');
  });
  const deadline = refused.deadline({ timeoutMs: 500 });
  const last = await refused.change(MasterMethods.rename, RENAME, deadline).catch((error: FsError) => error);
  ok(isFsError(last, 'CONNECTION_REFUSED') && last.details.master !== undefined);
});

test('master call: a refusal is not tried again, a failure until the deadline', async () => {
  let count = 0;
  const refusing = scriptedCalls(() => {
    count += 1;
    throw new FsError('NOT_FOUND', 'no');
  });
  await rejects(refusing.call(MasterMethods.rename, { ...RENAME, operation: undefined }, refusing.deadline({})), {
    kind: 'NOT_FOUND',
  });
  equal(count, 1);
  for (const [cause, kind] of [
    ['UNAVAILABLE', 'DEADLINE_EXCEEDED'],
    ['CONNECTION_REFUSED', 'CONNECTION_REFUSED'],
    ['NAME_UNRESOLVED', 'NAME_UNRESOLVED'],
  ] as const) {
    const failing = scriptedCalls(() => {
      throw new FsError(cause, 'why');
    });
    const deadline = failing.deadline({ timeoutMs: 3000 });
    const call = failing.call(MasterMethods.rename, { ...RENAME, operation: undefined }, deadline);
    await rejects(call, { kind, message: 'gave up after 3 s: why' });
  }
});

test('master call: a failure after which it is tried again is told, with how long it has been tried', async () => {
  const told: Retry[] = [];
  let count = 0;
  const script = () => {
    count += 1;
    if (count < 4) throw new FsError('UNAVAILABLE', `failure ${count}`);
    return {};
  };
  const calls = scriptedCalls(script, { onRetry: (retry) => told.push(retry) });
  await calls.change(MasterMethods.rename, RENAME, calls.deadline({}));
  deepEqual(
    told.map(({ reason }) => reason.message),
    ['failure 1', 'failure 2', 'failure 3'],
  );
  equal(told[0]!.triedMs, 0);
  ok(told[1]!.triedMs > 0 && told[2]!.triedMs > told[1]!.triedMs);
  const refusing = () => {
    throw new FsError('NOT_FOUND', 'no');
  };
  const refused = scriptedCalls(refusing, { onRetry: (retry) => told.push(retry) });
  await rejects(refused.change(MasterMethods.rename, RENAME, refused.deadline({})));
  equal(told.length, 3);
});

test('master call: a change that may have been done is not answered as if it had reached nobody', async () => {
  const lostThenRefused = () => {
    let count = 0;
    return scriptedCalls(() => {
      count += 1;
      throw new FsError(count === 1 ? 'CONNECTION_LOST' : 'CONNECTION_REFUSED', 'why');
    });
  };
  const message = 'gave up after 3 s: why';
  const changing = lostThenRefused();
  const change = changing.change(MasterMethods.rename, RENAME, changing.deadline({ timeoutMs: 3000 }));
  await rejects(change, { kind: 'DEADLINE_EXCEEDED', message });
  const asking = lostThenRefused();
  const file = { path: '/a', inode: 0 };
  const ask = asking.call(MasterMethods.stat, { file }, asking.deadline({ timeoutMs: 3000 }));
  await rejects(ask, { kind: 'CONNECTION_REFUSED', message });
});

test('master call: whose time ends in a pause says why the last attempt failed', async () => {
  const calls = scriptedCalls(() => {
    throw new FsError('UNAVAILABLE', 'why');
  });
  const { clock } = calls.seams;
  const deadline = calls.deadline({ timeoutMs: 3000 });
  const sleep = clock.sleep.bind(clock);
  clock.sleep = (ms) => sleep(ms + 5000); // the machine was busy
  const message = 'gave up after 3 s: why';
  await rejects(calls.change(MasterMethods.rename, RENAME, deadline), { kind: 'DEADLINE_EXCEEDED', message });
});

test('master call: no time, and a time that is no number, is no time for ever', async () => {
  let count = 0;
  const calls = scriptedCalls(() => {
    count += 1;
    throw count > 100 ? new Error('it goes on for ever') : new FsError('DEADLINE_EXCEEDED', 'no time');
  });
  for (const timeoutMs of [0, -1, Number.NaN]) {
    const change = calls.change(MasterMethods.rename, RENAME, calls.deadline({ timeoutMs }));
    await rejects(change, { kind: 'DEADLINE_EXCEEDED' });
  }
  equal(count, 0);
});
