import { ok } from 'node:assert/strict';
import { test } from 'node:test';
import { RuntimeMachine } from './machine.ts';

test('machine: usage is a ratio, and memory used, by all and by this process, is a part of all', () => {
  const machine = new RuntimeMachine();
  for (let index = 0; index < 3; index++) {
    const ratio = machine.cpuUsedRatio();
    ok(ratio >= 0 && ratio <= 1);
  }
  const { totalBytes, usedBytes } = machine.memory();
  ok(usedBytes > 0 && usedBytes <= totalBytes);
  const processBytes = machine.processMemoryBytes();
  ok(processBytes > 1024 ** 2 && processBytes < totalBytes);
});
