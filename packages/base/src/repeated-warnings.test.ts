import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RepeatedWarnings } from './repeated-warnings.ts';
import type { Clock, Log, LogFields } from './seams.ts';

function recorded(intervalMs: number) {
  const said: string[] = [];
  let nowMs = 0;
  const clock = { nowMs: () => nowMs } as Clock;
  const note = (level: string) => (message: string, fields?: LogFields) => {
    said.push(`${level} ${message} ${JSON.stringify(fields)}`);
  };
  const log: Log = {
    debug: note('debug'),
    info: note('info'),
    warn: note('warn'),
    error: note('error'),
    child: () => log,
  };
  const pass = (ms: number) => {
    nowMs += ms;
  };
  return { warnings: new RepeatedWarnings({ clock, log }, intervalMs), said, pass };
}

test('repeated warnings: the same one about the same subject is said once in an interval, and how often it was met', () => {
  const { warnings, said, pass } = recorded(1000);
  for (let count = 0; count < 11; count += 1) {
    warnings.warn('a', 'it failed', { count });
    pass(100);
  }
  assert.deepEqual(
    said.filter((line) => line.startsWith('warn')),
    ['warn it failed {"count":0}', 'warn it failed {"count":10,"timesSinceLastSaid":9}'],
  );
  assert.equal(said.length, 11);
});

test('repeated warnings: other subjects and other messages are said at once', () => {
  const { warnings, said } = recorded(1000);
  warnings.warn('a', 'it failed', {});
  warnings.warn('b', 'it failed', {});
  warnings.warn('a', 'it is late', {});
  assert.deepEqual(said, ['warn it failed {}', 'warn it failed {}', 'warn it is late {}']);
});

test('repeated warnings: the memory of subjects is bounded, the one said longest ago goes first', () => {
  const { warnings, said } = recorded(1000);
  for (let subject = 0; subject < 1001; subject += 1) warnings.warn(String(subject), 'it failed', {});
  warnings.warn('0', 'it failed', {});
  warnings.warn('1000', 'it failed', {});
  assert.equal(said.filter((line) => line.startsWith('warn')).length, 1002);
});
