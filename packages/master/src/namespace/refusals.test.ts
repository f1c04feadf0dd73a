/** A refusal tells of what is there as much as an answer does: it leaves when that is durable. */
import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { type FileRef, MasterMethods, type Method } from '@cairnfs/protocol';
import { TestMaster } from '../testing/test-master.ts';

const AT_ONCE_MS = 100;
const SYNC_MS = 5_000;

const FILE: FileRef = { path: '/file', inode: 0 };
const BELOW: FileRef = { path: '/file/below', inode: 0 };

test('refusal: one that is due to what is not durable yet waits for that', async () => {
  const test = await TestMaster.start(1);
  const told: string[] = [];
  const ask = <Q, S>(method: Method<Q, S> & { stream: 'none' }, request: Q): void => {
    test.send(method, request).then(
      () => told.push(`${method.name} answered`),
      ({ kind }) => told.push(kind),
    );
  };
  test.simulation.host('master').disk.timing.syncMs = [SYNC_MS, SYNC_MS];
  const created = test.create('/file');
  await test.simulation.runFor(AT_ONCE_MS);
  const page = { prefix: '', cursor: '', limit: 0, withAttributes: false };
  ask(MasterMethods.stat, { file: BELOW });
  ask(MasterMethods.list, { directory: FILE, ...page });
  ask(MasterMethods.locate, { file: BELOW, offset: 0, length: 0, limit: 0 });
  ask(MasterMethods.check, { path: BELOW.path, cursor: '', limit: 0 });
  ask(MasterMethods.truncate, { file: BELOW, size: 0, operation: undefined });
  await test.simulation.runFor(SYNC_MS / 2);
  deepEqual(told, []);
  await created;
  await test.simulation.runFor(AT_ONCE_MS);
  deepEqual(
    told,
    Array.from({ length: 5 }, () => 'NOT_A_DIRECTORY'),
  );
});

test('refusal: one that is due to what is durable comes at once', async () => {
  const test = await TestMaster.start(1);
  await test.create('/file');
  test.simulation.host('master').disk.timing.syncMs = [SYNC_MS, SYNC_MS];
  const other = test.create('/other');
  await test.simulation.runFor(AT_ONCE_MS);
  let told: string | undefined;
  test.send(MasterMethods.stat, { file: BELOW }).catch(({ kind }) => {
    told = kind;
  });
  await test.simulation.runFor(AT_ONCE_MS);
  equal(told, 'NOT_A_DIRECTORY');
  await other;
});
