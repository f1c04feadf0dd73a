import { doesNotMatch, match } from 'node:assert/strict';
import { test } from 'node:test';
import type { SeedReport } from './run-seed.ts';
import { Summary } from './summary.ts';

const REPORT: SeedReport = {
  seed: 5,
  profile: 'storm',
  doneCount: 9,
  errors: {},
  faults: {},
  coverage: {},
  violations: [
    { check: 'file', summary: 'of the whole', details: '' },
    { check: 'file', summary: 'of the whole again', details: '' },
  ],
  undecidedCount: 1,
  traceHash: '',
  virtualMs: 1000,
};
const SHRUNK = { operations: '3', faults: 'none', operationCount: 1, faultCount: 0 };

test('summary: tells of a failure what the command below it shows', () => {
  const summary = new Summary();
  summary.add(REPORT);
  match(
    summary.format(1000),
    /in 1 schedule\n {2}seed 5, storm {2}file: of the whole \(and 1 more\)\n.* storm --trace$/,
  );
  const shrunk = new Summary();
  const violations = [{ check: 'file', summary: 'of what is left', details: '' }];
  shrunk.add({ ...REPORT, shrunk: { ...SHRUNK, violations } });
  const text = shrunk.format(1000);
  match(text, /seed 5, storm, shrunk {2}file: of what is left\n.* --operations 3 --faults none --trace$/);
  doesNotMatch(text, /of the whole/);
});
