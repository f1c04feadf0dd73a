import { deepEqual } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { PROFILE_NAMES } from '../runner/option-values.ts';

const PAGE = fileURLToPath(new URL('../../../../docs/simulation.md', import.meta.url));

test('profiles: docs/simulation.md tells of each', () => {
  const [, section = ''] = readFileSync(PAGE, 'utf8').split('\n## Profiles\n');
  const rows = section.split('\n## ')[0]!.matchAll(/^\| `(\S+)` \| \S/gm);
  deepEqual([...rows].map(([, name]) => name).sort(), [...PROFILE_NAMES].sort());
});
