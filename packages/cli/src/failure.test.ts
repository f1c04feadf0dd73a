import { equal, match } from 'node:assert/strict';
import { test } from 'node:test';
import { type ErrorCode, FsError } from '@cairnfs/base';
import { describeFailure, describeServerFailure, exitCodeOf, isFolderInUse, UsageError } from './failure.ts';

test('failure: one line of cause, object and what to do', () => {
  const error = new FsError('NOT_EMPTY', "ENOTEMPTY: directory not empty, rm '/d'\nand more");
  equal(describeFailure(error), "ENOTEMPTY: directory not empty, rm '/d': add -r to delete it with what it contains");
  equal(describeFailure(new Error('plain')), 'plain');
  equal(describeFailure('thrown text'), 'thrown text');
});

test('failure: what stands in the way of a move is not said to be deleted by an option that mv has not', () => {
  const error = Object.assign(new FsError('NOT_EMPTY', 'not empty'), { path: '/a/d', dest: '/b/d' });
  equal(describeFailure(error), "not empty: '/b/d' is not replaced: choose another name, or remove it first");
});

test('failure: wrong usage is told apart from what failed', () => {
  equal(exitCodeOf(new UsageError('no such thing')), 2);
  equal(exitCodeOf(new FsError('NOT_FOUND', 'no')), 1);
});

test('failure: what a path holds cannot move the cursor', () => {
  equal(describeFailure(new Error("no '/a\x1b[31m'")), "no '/a\\x1b[31m'");
  equal(describeFailure(new FsError('NOT_FOUND', "no '/a\nb'\nmore")), `no '/a\\x0ab': check the path with "cairn ls"`);
});

test('failure: a server that refuses to run names the word to look up', () => {
  equal(describeServerFailure(new FsError('DAMAGED', 'the journal is cut')), 'DAMAGED: the journal is cut');
  equal(describeServerFailure(Object.assign(new Error('locked'), { code: 'EBUSY' })), 'EBUSY: locked');
  equal(describeServerFailure(new Error('plain')), 'plain');
});

test('failure: a server whose folder is in use is known by its line', () => {
  equal(isFolderInUse(describeServerFailure(Object.assign(new Error('locked'), { code: 'EBUSY' }))), true);
  equal(isFolderInUse(describeServerFailure(new FsError('DAMAGED', 'the journal is cut'))), false);
});

test('failure: a slash at the end of a path that is no directory is what is told', async () => {
  const slash = 'a path that ends in a slash names a directory';
  const failure = (kind: ErrorCode, path: string, dest?: string) =>
    describeFailure(Object.assign(new FsError(kind, 'no'), { path, ...(dest !== undefined && { dest }) }));
  equal(failure('NOT_A_DIRECTORY', '/f/'), `no: ${slash}`);
  equal(failure('IS_A_DIRECTORY', '/f', '/g/'), `no: ${slash}`);
  const other = 'name a file; "cairn find DIR --type f" lists those in a directory';
  for (const path of ['/f', '/']) equal(failure('IS_A_DIRECTORY', path), `no: ${other}`);
  equal(failure('NO_SPACE', '/f/').includes(slash), false);
});

test('failure: of several paths the one that is at fault is named', () => {
  const failure = (kind: ErrorCode, why: string, paths: { path: string; dest?: string }) =>
    describeFailure(Object.assign(new FsError(kind, 'no', { cause: new FsError(kind, why) }), paths));
  const isFile = "'/log' is a file: a directory cannot replace it";
  equal(failure('NOT_A_DIRECTORY', isFile, { path: '/d/', dest: '/log' }), `no: ${isFile}`);
  equal(failure('NOT_A_DIRECTORY', "'/log' is a file", { path: '/log/x' }), "no: '/log' is a file");
  equal(failure('IS_A_DIRECTORY', "'/d' is a directory", { path: '/f', dest: '/d' }), "no: '/d' is a directory");
  match(failure('IS_A_DIRECTORY', "'/d' is a directory", { path: '/d' }), /^no: name a file; /);
});

test('failure: a pattern that was taken for a name is told', () => {
  const error = Object.assign(new FsError('NOT_FOUND', "no '/d/*'"), { path: '/d/*' });
  equal(
    describeFailure(error),
    `no '/d/*': * and ? stand for themselves here; "cairn find DIR --name PATTERN" finds names`,
  );
});

test('failure: the advice fits the server that was not reached', () => {
  const told = (kind: ErrorCode, details: Record<string, string> = {}) =>
    describeFailure(new FsError(kind, 'no', { details }));
  const master = { master: '127.0.0.1:9000' };
  match(told('CONNECTION_REFUSED', master), /^no: is the cluster running\? .* --master names another$/);
  match(told('CONNECTION_REFUSED'), /^no: this chunkserver is not in reach; "cairn status" shows which are live/);
  match(told('NAME_UNRESOLVED'), /^no: this chunkserver is not in reach/);
  for (const kind of ['FOREIGN_PROTOCOL', 'UNKNOWN_METHOD'] as const) {
    equal(told(kind, master), 'no: --master, or CAIRN_MASTER, names the master');
    equal(told(kind), 'no: "cairn status" shows the addresses of the chunkservers');
  }
});

test('failure: where no copy is in reach the advice is to look for the chunkservers', () => {
  for (const kind of ['DEADLINE_EXCEEDED', 'UNAVAILABLE'] as const) {
    const error = new FsError(kind, 'no', { details: { copiesOutOfReach: 3 } });
    equal(describeFailure(error), 'no: "cairn status" shows which chunkservers are missing');
  }
});

test('failure: where time ran out the advice fits what it ran out on', () => {
  const told = (kind: ErrorCode) =>
    describeFailure(new FsError('DEADLINE_EXCEEDED', 'gave up', { cause: new FsError(kind, 'why') }));
  equal(told('NOT_ENOUGH_SERVERS'), 'gave up: "cairn status" shows which chunkservers are missing');
  equal(told('SAFE_MODE'), 'gave up: "cairn status" shows what the master waits for');
  equal(told('CONNECTION_LOST'), 'gave up: try again, or allow more time with --timeout');
});
