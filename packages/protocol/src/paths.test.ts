import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FsError } from '@cairnfs/base';
import { checkChunkHandle, checkChunkVersion, checkServerId } from './ids.ts';
import { checkName, checkPath } from './paths.ts';

function kindOf(check: () => unknown): string {
  try {
    check();
    return 'accepted';
  } catch (error) {
    assert.ok(error instanceof FsError);
    return error.kind;
  }
}

test('path: splits into components, the root into none', () => {
  assert.deepEqual(checkPath('/'), []);
  assert.deepEqual(checkPath('/a/b c/.hidden/...'), ['a', 'b c', '.hidden', '...']);
  assert.deepEqual(checkPath('/é/𝒳'), ['é', '𝒳']);
});

test('path: forms that are not canonical, not absolute or not text are refused', () => {
  for (const path of ['', 'a', 'a/b', '//', '/a/', '/a//b', '/.', '/a/..', '/a/./b', '/a\0b', '/\ud800', '/a\udc00b']) {
    assert.equal(
      kindOf(() => checkPath(path)),
      'INVALID_ARGUMENT',
      JSON.stringify(path),
    );
  }
});

test('path: lengths count UTF-8 bytes', () => {
  assert.equal(
    kindOf(() => checkName('a'.repeat(255))),
    'accepted',
  );
  assert.equal(
    kindOf(() => checkName('a'.repeat(256))),
    'NAME_TOO_LONG',
  );
  assert.equal(
    kindOf(() => checkName('é'.repeat(127))),
    'accepted',
  );
  assert.equal(
    kindOf(() => checkName('é'.repeat(128))),
    'NAME_TOO_LONG',
  );
  assert.equal(
    kindOf(() => checkPath('/abc'.repeat(1024))),
    'accepted',
  );
  assert.equal(
    kindOf(() => checkPath(`${'/abc'.repeat(1024)}d`)),
    'NAME_TOO_LONG',
  );
});

test('name: a slash, NUL and the empty name are refused', () => {
  for (const name of ['', 'a/b', '\0', '.', '..'])
    assert.equal(
      kindOf(() => checkName(name)),
      'INVALID_ARGUMENT',
    );
});

test('id: only its one form is accepted', () => {
  assert.equal(
    kindOf(() => checkChunkHandle('0b6d7a52-7f0e-4c59-9a40-0f3cc1d2e3f4')),
    'accepted',
  );
  for (const text of ['', 'x', '0B6D7A52-7F0E-4C59-9A40-0F3CC1D2E3F4', '0b6d7a52-7f0e-4c59-9a40-0f3cc1d2e3f4\n']) {
    assert.equal(
      kindOf(() => checkChunkHandle(text)),
      'INVALID_ARGUMENT',
    );
  }
  assert.equal(
    kindOf(() => checkServerId(1)),
    'accepted',
  );
  assert.equal(
    kindOf(() => checkServerId(0)),
    'INVALID_ARGUMENT',
  );
  assert.equal(
    kindOf(() => checkChunkVersion(2 ** 53)),
    'INVALID_ARGUMENT',
  );
});
