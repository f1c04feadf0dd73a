import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { baseName, isInside, joinRemote, meansContents, parentOf, remotePath, remoteSource } from './paths.ts';

test('path: everything but the root itself lies inside the root', () => {
  equal(isInside('/a', '/'), true);
  equal(isInside('/', '/'), false);
});

test('path: one slash stays at its end, and changes neither the name nor what lies above and below', () => {
  equal(remotePath('//a///b//'), '/a/b/');
  equal(remotePath('//'), '/');
  for (const path of ['/a/b', '/a/b/']) {
    equal(baseName(path), 'b');
    equal(parentOf(path), '/a');
    equal(joinRemote(path, 'c'), '/a/b/c');
    equal(isInside('/a/b/c', path), true);
    equal(isInside('/a/b/', path), false);
  }
});

test('path: a name that only begins alike is not inside', () => {
  equal(isInside('/ab', '/a'), false);
  equal(isInside('/a/b', '/a'), true);
  equal(isInside('/a', '/a'), false);
});

test('path: one that ends in a dot of its own means what is in the directory', () => {
  for (const path of ['.', './', 'a/.', 'a/./', '/a/.', '/.']) equal(meansContents(path), true, path);
  for (const path of ['..', 'a', 'a/..', 'a.', '/a/b.', './a', '/a/...', '']) equal(meansContents(path), false, path);
  deepEqual(remoteSource('/a//.'), { path: '/a/', isContents: true });
  deepEqual(remoteSource('/a/./'), { path: '/a/', isContents: true });
  deepEqual(remoteSource('/.'), { path: '/', isContents: true });
  deepEqual(remoteSource('/a.'), { path: '/a.', isContents: false });
});
