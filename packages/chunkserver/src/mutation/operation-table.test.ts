import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFsError } from '@cairnfs/base';
import { OPERATION_MEMORY_MS, OPERATION_WINDOW } from '@cairnfs/protocol';
import { OPERATION_CLIENTS_MAX } from './limits.ts';
import { OperationTable } from './operation-table.ts';

const operation = (number: number, settledBelow = 0, client = 'a') => ({ client, number, settledBelow });
const result = (sequence: number) => ({ sequence, offset: sequence * 10, length: 10 });

test('operation table: a retry finds the first result', () => {
  const table = new OperationTable();
  assert.equal(table.lookup(operation(1)), undefined);
  table.add(operation(1), result(1), 0);
  assert.deepEqual(table.lookup(operation(1)), result(1));
});

test('operation table: an operation below settled_below has an expired outcome', () => {
  const table = new OperationTable();
  table.add(operation(1), result(1), 0);
  table.add(operation(5, 5), result(2), 0);
  assert.throws(
    () => table.lookup(operation(1)),
    (error) => isFsError(error, 'OUTCOME_EXPIRED'),
  );
  assert.equal(table.resultCount, 1);
});

test('operation table: a client keeps one window of results', () => {
  const table = new OperationTable();
  for (let number = 1; number <= OPERATION_WINDOW + 10; number += 1) table.add(operation(number), result(number), 0);
  assert.equal(table.resultCount, OPERATION_WINDOW);
  assert.throws(
    () => table.lookup(operation(10)),
    (error) => isFsError(error, 'OUTCOME_EXPIRED'),
  );
  assert.deepEqual(table.lookup(operation(11)), result(11));
});

test('operation table: a dropped mutation takes its operation along, and only its own', () => {
  const table = new OperationTable();
  table.add(operation(1), result(7), 0);
  table.drop(operation(1), 6);
  assert.deepEqual(table.lookup(operation(1)), result(7));
  table.drop(operation(1), 7);
  assert.equal(table.lookup(operation(1)), undefined);
  assert.equal(table.resultCount, 0);
});

test('operation table: a full table has no room for another client until the memory of one ends', () => {
  const table = new OperationTable();
  for (let index = 0; index < OPERATION_CLIENTS_MAX; index += 1) {
    table.add(operation(1, 0, `client ${index}`), result(index + 1), index);
  }
  assert.ok(!table.hasRoom('new', OPERATION_MEMORY_MS - 1));
  assert.ok(table.hasRoom('client 0', OPERATION_MEMORY_MS - 1));
  assert.ok(table.hasRoom('new', OPERATION_MEMORY_MS));
});

test('operation table: a clone takes committed results along', () => {
  const table = new OperationTable();
  table.add(operation(1), result(1), 5);
  table.add(operation(2), result(2), 6);
  const clone = new OperationTable();
  clone.load({ entries: table.entries(1), windows: table.windows() }, 100);
  assert.deepEqual(clone.lookup(operation(1)), result(1));
  assert.equal(clone.lookup(operation(2)), undefined);
});

test('operation table: what was settled or left the window is refused by a clone too', () => {
  const table = new OperationTable();
  table.add(operation(1), result(1), 5);
  table.add(operation(5, 5), result(2), 6);
  for (let number = 1; number <= OPERATION_WINDOW + 1; number += 1) {
    table.add(operation(number, 0, 'b'), result(number + 2), 7);
  }
  // The mutation that said so is dropped; what it made the table forget stays forgotten.
  table.add(operation(9, 9, 'c'), result(2_000), 8);
  table.drop(operation(9, 9, 'c'), 2_000);
  table.drop(operation(OPERATION_WINDOW + 1, 0, 'b'), OPERATION_WINDOW + 3);
  const clone = new OperationTable();
  clone.load({ entries: table.entries(1_999), windows: table.windows() }, 100);
  for (const { client, number } of [operation(4), operation(1, 0, 'b'), operation(8, 0, 'c')]) {
    assert.throws(
      () => clone.lookup(operation(number, 0, client)),
      (error) => isFsError(error, 'OUTCOME_EXPIRED'),
    );
  }
  assert.deepEqual(clone.lookup(operation(5)), result(2));
  assert.equal(clone.lookup(operation(6)), undefined);
  assert.deepEqual(clone.lookup(operation(2, 0, 'b')), result(4));
  assert.ok(clone.hasRoom('new', OPERATION_MEMORY_MS + 10));
  assert.equal(clone.clientCount, 0);
});
