import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { ProcessCalendar } from './process-calendar.ts';
import type { Clock } from './seams.ts';

for (const [name, setByMs, expected] of [
  ['that was set right after the start is right', 3_000_000.5, 4_000_150],
  ['that was set back after the start is not early', -500_000, 1_000_150],
] as const) {
  test(`calendar: what is written down by a wall clock ${name}`, () => {
    const now = { ms: 50, wallMs: 1_000_000 };
    const calendar = new ProcessCalendar({ nowMs: () => now.ms, wallMs: () => now.wallMs } as Clock);
    now.ms += 150;
    now.wallMs += 150 + setByMs;
    equal(calendar.stampMs(), expected);
    equal(calendar.nowMs(), 1_000_150);
  });
}
