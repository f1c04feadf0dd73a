import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { spaceOf } from './space.ts';

function server(address: string, fileSystem: string, { free = 70, there = 70 } = {}) {
  const disk = { totalBytes: free + 5, freeBytes: free, fileSystem, fileSystemFreeBytes: there };
  return { address, disks: [disk] } as unknown as Parameters<typeof spaceOf>[0][number];
}

test('space: a file system that chunkservers of one machine share is counted once', () => {
  const three = ['127.0.0.1:1', '127.0.0.1:2', '127.0.0.1:3'].map((address) => server(address, '8'));
  deepEqual(spaceOf(three), { usedBytes: 15, freeBytes: 70 });
  const two = [server('127.0.0.1:1', '8'), server('127.0.0.1:2', '9')];
  deepEqual(spaceOf(two), { usedBytes: 10, freeBytes: 140 });
});

test('space: of a shared file system those with a capacity of their own count that', () => {
  const small = ['a:1', 'a:2'].map((address) => server(address, '8', { free: 10 }));
  deepEqual(spaceOf(small), { usedBytes: 10, freeBytes: 20 });
});

test('space: other machines, and disks that tell no file system, are counted each', () => {
  deepEqual(spaceOf([server('a:1', '8'), server('b:1', '8')]), { usedBytes: 10, freeBytes: 140 });
  deepEqual(spaceOf([server('a:1', ''), server('a:2', '')]), { usedBytes: 10, freeBytes: 140 });
});
