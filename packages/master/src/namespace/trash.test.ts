import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { trashNameBefore } from './trash.ts';

test('trash: names say the time of deletion as the calendar does', () => {
  const expected = (ms: number) => new Date(ms).toISOString().replace(/[-:.]/g, '');
  const moments = ['1970-01-01', '1999-12-31', '2000-02-29', '2024-02-29', '2026-03-01', '2100-02-28', '2100-03-01'];
  for (const moment of moments) equal(trashNameBefore(Date.parse(moment)), expected(Date.parse(moment)));
  const lastMs = Date.parse('9999-12-31T23:59:59.999Z');
  fc.assert(
    fc.property(fc.integer({ min: 0, max: lastMs }), (ms) => equal(trashNameBefore(ms), expected(ms))),
    { seed: 1 },
  );
});
