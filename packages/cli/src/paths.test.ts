import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { isInside } from './paths.ts';

test('path: everything but the root itself lies inside the root', () => {
  equal(isInside('/a', '/'), true);
  equal(isInside('/', '/'), false);
});

test('path: a name that only begins alike is not inside', () => {
  equal(isInside('/ab', '/a'), false);
  equal(isInside('/a/b', '/a'), true);
  equal(isInside('/a', '/a'), false);
});
