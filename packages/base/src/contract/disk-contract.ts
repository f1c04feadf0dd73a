import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { DiskError } from '../errors.ts';
import { allocatePageAligned } from '../page-aligned.ts';
import { type MakeSubject, withSubject } from './subject.ts';

/** Defines the tests that every `Disk` must pass. */
export function diskContract(make: MakeSubject): void {
  test(
    'file: what was written is read back, from any position',
    withSubject(make, async ({ seams: { disk }, directory }) => {
      const file = await disk.open(`${directory}/a`, 'create');
      await file.write(0, [bytes(1, 2, 3), new Uint8Array(0), bytes(4, 5)]);
      await file.write(3, [bytes(9)]);
      const target = new Uint8Array(3);
      equal(await file.read(1, target), 3);
      deepEqual(target, bytes(2, 3, 9));
      equal(await file.size(), 5);
      await file.sync();
      await file.close();
    }),
  );

  test(
    'file: a read at the end comes back short, beyond it empty',
    withSubject(make, async ({ seams: { disk }, directory }) => {
      const file = await disk.open(`${directory}/a`, 'create');
      await file.write(0, [bytes(1, 2, 3)]);
      const target = new Uint8Array(8);
      equal(await file.read(2, target), 1);
      equal(target[0], 3);
      equal(await file.read(3, target), 0);
      equal(await file.read(100, target), 0);
      await file.close();
    }),
  );

  test(
    'file: bulk data is written whole, wherever it begins and ends, and mixes with other writes',
    withSubject(make, async ({ seams: { disk }, directory }) => {
      const file = await disk.open(`${directory}/a`, 'create');
      const MiB = 1024 * 1024;
      const pages = allocatePageAligned(MiB).map((_, index) => index % 251);
      const aligned = allocatePageAligned(MiB);
      aligned.set(pages);
      const expected = new Uint8Array(4 * MiB);
      const bulk = async (position: number, data: Uint8Array) => {
        expected.set(data, position);
        await file.writeBulk(position, data);
      };
      const plain = async (position: number, data: Uint8Array) => {
        expected.set(data, position);
        await file.write(position, [data]);
      };
      await bulk(MiB, aligned);
      await bulk(0, aligned);
      await bulk(2 * MiB, aligned.subarray(0, 300_001)); // ends inside a page
      await bulk(2 * MiB + 300_001, aligned.subarray(0, 300_000)); // begins inside a page of the file
      await plain(MiB + 5, new Uint8Array(70_000).fill(9)); // into the page cache
      const target = new Uint8Array(4 * MiB);
      await file.read(0, target);
      await bulk(MiB, aligned.subarray(0, MiB / 2)); // over cached pages
      await bulk(3 * MiB, aligned.subarray(4097, 4097 + 300_000)); // from inside a page of memory
      await bulk(3 * MiB + 300_000, pages.subarray(0, MiB - 300_000)); // from memory of any kind
      await file.sync();
      equal(await file.read(0, target), 4 * MiB);
      equal(Buffer.compare(target, expected), 0);
      const into = allocatePageAligned(4 * MiB);
      equal(await file.readBulk(0, into), 4 * MiB);
      equal(Buffer.compare(into, expected), 0);
      equal(await file.readBulk(5, into), 4 * MiB - 5); // begins inside a page, ends behind the file
      equal(Buffer.compare(into.subarray(0, 4 * MiB - 5), expected.subarray(5)), 0);
      await file.truncate(3 * MiB + 7);
      equal(await file.readBulk(2 * MiB, into), MiB + 7); // ends inside a page of the file
      equal(Buffer.compare(into.subarray(0, MiB + 7), expected.subarray(2 * MiB, 3 * MiB + 7)), 0);
      equal(await file.readBulk(8 * MiB, into), 0);
      await file.close();
    }),
  );

  test(
    'file: a gap reads as zeros',
    withSubject(make, async ({ seams: { disk }, directory }) => {
      const file = await disk.open(`${directory}/a`, 'create');
      await file.write(4, [bytes(7)]);
      const target = new Uint8Array(5).fill(0xff);
      equal(await file.read(0, target), 5);
      deepEqual(target, bytes(0, 0, 0, 0, 7));
      await file.close();
    }),
  );

  test(
    'file: many buffers and large ones are written whole',
    withSubject(make, async ({ seams: { disk }, directory }) => {
      const file = await disk.open(`${directory}/a`, 'create');
      // More buffers than one writev takes (1,024 on Linux), and more bytes than fit the path for small writes.
      const many = Array.from({ length: 2500 }, (_, index) => bytes(index, index >> 8, 1));
      await file.write(10, many);
      const large = new Uint8Array(3 * 1024 * 1024 + 17).map((_, index) => index % 251);
      await file.write(10 + 7500, [large.subarray(0, 5), large.subarray(5)]);
      const target = new Uint8Array(7500 + large.length);
      equal(await file.read(10, target), target.length);
      ok(Buffer.compare(target.subarray(0, 7500), Buffer.concat(many)) === 0);
      ok(Buffer.compare(target.subarray(7500), large) === 0);
      await file.close();
    }),
  );

  test(
    'file: truncation cuts, and extends with zeros',
    withSubject(make, async ({ seams: { disk }, directory }) => {
      const file = await disk.open(`${directory}/a`, 'create');
      await file.write(0, [bytes(1, 2, 3, 4)]);
      await file.truncate(2);
      equal(await file.size(), 2);
      await file.truncate(4);
      const target = new Uint8Array(4);
      equal(await file.read(0, target), 4);
      deepEqual(target, bytes(1, 2, 0, 0));
      await file.close();
    }),
  );

  test(
    'open: each mode asks for or refuses an existing file',
    withSubject(make, async ({ seams: { disk }, directory }) => {
      const path = `${directory}/a`;
      await rejects(disk.open(path, 'read'), withCode('ENOENT'));
      await rejects(disk.open(path, 'readWrite'), withCode('ENOENT'));
      await (await disk.open(path, 'create')).close();
      await rejects(disk.open(path, 'create'), withCode('EEXIST'));
      for (const mode of ['read', 'readWrite', 'openOrCreate'] as const) await (await disk.open(path, mode)).close();
      await (await disk.open(`${directory}/b`, 'openOrCreate')).close();
      await rejects(disk.open(`${directory}/none/a`, 'create'), withCode('ENOENT'));
    }),
  );

  test(
    'open: a file open for reading refuses writes, and keeps its content when opened again',
    withSubject(make, async ({ seams: { disk }, directory }) => {
      const first = await disk.open(`${directory}/a`, 'create');
      await first.write(0, [bytes(5)]);
      await first.close();
      const file = await disk.open(`${directory}/a`, 'read');
      await rejects(file.write(0, [bytes(6)]), withCode('EBADF'));
      await rejects(file.write(0, [new Uint8Array(1024 * 1024)]), withCode('EBADF'));
      await file.close();
      const again = await disk.open(`${directory}/a`, 'openOrCreate');
      const target = new Uint8Array(2);
      equal(await again.read(0, target), 1);
      equal(target[0], 5);
      await again.close();
    }),
  );

  test(
    'directory: lists names sorted, files and directories alike',
    withSubject(make, async ({ seams: { disk }, directory }) => {
      await disk.makeDirectory(`${directory}/d/e/f`);
      await disk.makeDirectory(`${directory}/d/e`);
      for (const name of ['b', 'a', 'C']) await (await disk.open(`${directory}/d/${name}`, 'create')).close();
      deepEqual(await disk.list(`${directory}/d`), ['C', 'a', 'b', 'e']);
      deepEqual(await disk.list(`${directory}/d/e/f`), []);
      await rejects(disk.list(`${directory}/none`), withCode('ENOENT'));
      await disk.syncDirectory(`${directory}/d`);
    }),
  );

  test(
    'directory: a rename replaces its target, and an open file goes with it',
    withSubject(make, async ({ seams: { disk }, directory }) => {
      const file = await disk.open(`${directory}/from`, 'create');
      await (await disk.open(`${directory}/to`, 'create')).close();
      await disk.rename(`${directory}/from`, `${directory}/to`);
      await file.write(0, [bytes(1)]);
      deepEqual(await disk.list(directory), ['to']);
      equal((await disk.stat(`${directory}/to`))?.sizeBytes, 1);
      await rejects(disk.rename(`${directory}/from`, `${directory}/to`), withCode('ENOENT'));
      await file.close();
    }),
  );

  test(
    'directory: a removed file is gone for others and stays readable to who has it open',
    withSubject(make, async ({ seams: { disk }, directory }) => {
      const file = await disk.open(`${directory}/a`, 'create');
      await file.write(0, [bytes(1)]);
      await disk.remove(`${directory}/a`);
      equal(await disk.stat(`${directory}/a`), undefined);
      equal(await file.read(0, new Uint8Array(1)), 1);
      await file.close();
      await rejects(disk.remove(`${directory}/a`), withCode('ENOENT'));
    }),
  );

  test(
    'disk: knows its space',
    withSubject(make, async ({ seams: { disk }, directory }) => {
      const { totalBytes, freeBytes } = await disk.space(directory);
      ok(totalBytes > 0 && freeBytes > 0 && freeBytes <= totalBytes);
    }),
  );

  test(
    'lock: held once, and free again after its release',
    withSubject(make, async ({ seams: { disk }, directory }) => {
      const lock = await disk.lock(`${directory}/lock`);
      await rejects(disk.lock(`${directory}/lock`), withCode('EBUSY'));
      await lock.release();
      const again = await disk.lock(`${directory}/lock`);
      await again.release();
    }),
  );
}

function bytes(...values: number[]): Uint8Array {
  return Uint8Array.from(values);
}

function withCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof DiskError && error.code === code;
}
