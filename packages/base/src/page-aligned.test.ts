import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { allocatePageAligned, isPageAligned } from './page-aligned.ts';

test('page-aligned memory: known as such at each page of it, and only there', () => {
  const bytes = allocatePageAligned(128 * 1024);
  equal(bytes.length, 128 * 1024);
  equal(isPageAligned(bytes), true);
  equal(isPageAligned(bytes.subarray(8192, 9000)), true);
  equal(isPageAligned(bytes.subarray(1)), false);
  equal(isPageAligned(new Uint8Array(4096)), false);
});
