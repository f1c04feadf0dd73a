import { doesNotMatch, equal, match } from 'node:assert/strict';
import { test } from 'node:test';
import { COVERED_STATES } from '../coverage/coverage.ts';
import type { SeedReport } from './run-seed.ts';
import { Summary, storyCommand } from './summary.ts';

const REPORT: SeedReport = {
  seed: 5,
  profile: 'storm',
  only: {},
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
const SHRUNK = { operations: [3], faults: [] };

test('summary: tells of a failure what the command below it shows', () => {
  const summary = new Summary();
  summary.add(REPORT);
  match(
    summary.format(1000),
    /in 1 schedule\n {2}seed 5, storm {2}file: of the whole \(and 1 more\)\n.* --schedule storm:5 --trace$/,
  );
  const shrunk = new Summary();
  const violations = [{ check: 'file', summary: 'of what is left', details: '' }];
  shrunk.add({ ...REPORT, shrunk: { ...SHRUNK, violations } });
  const text = shrunk.format(1000);
  match(text, /seed 5, storm, shrunk {2}file: of what is left\n.* --operations 3 --faults none --trace$/);
  doesNotMatch(text, /of the whole/);
});

test('summary: of a part that was run the command names that part, or what it was shrunk to', () => {
  const part = { ...REPORT, only: { operations: [1, 2, 3] } };
  equal(storyCommand(part), 'npm run simulate -- --schedule storm:5 --operations 1-3 --trace');
  const shrunk = { ...SHRUNK, violations: REPORT.violations };
  equal(
    storyCommand({ ...part, shrunk }),
    'npm run simulate -- --schedule storm:5 --operations 3 --faults none --trace',
  );
});

test('summary: states that no schedule came by stand apart from those that some did', () => {
  const summary = new Summary();
  summary.add({ ...REPORT, coverage: { 'view changes': 3, recoveries: 1 } });
  match(
    summary.format(1000),
    /^seen +recoveries 1, view changes 3\nnever seen +chunks copied, (?!.*(recoveries|view changes)).*$/m,
  );
  summary.add({ ...REPORT, coverage: Object.fromEntries(COVERED_STATES.map((state) => [state, 1])) });
  match(summary.format(1000), /^never seen +none$/m);
});
