import { deepEqual, equal, match } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { PROFILE_NAMES } from '../runner/option-values.ts';
import { formatProfiles } from '../runner/profile-list.ts';
import { PROFILES } from './profiles.ts';

const PAGE = fileURLToPath(new URL('../../../../docs/simulation.md', import.meta.url));

test('profiles: docs/simulation.md tells of each, in the same order', () => {
  const [, section = ''] = readFileSync(PAGE, 'utf8').split('\n## Profiles\n');
  const rows = section.split('\n## ')[0]!.matchAll(/^\| `(\S+)` \| \S/gm);
  deepEqual(
    [...rows].map(([, name]) => name),
    PROFILE_NAMES,
  );
});

test('profiles: the list has a line for each, and says what no other says', () => {
  const lines = formatProfiles().split('\n');
  deepEqual(
    lines.map((line) => line.split(' ')[0]),
    [...PROFILE_NAMES, 'NAME/short'],
  );
  for (const line of lines) match(line, /^\S+ +\S.{10,120}$/);
  equal(new Set(Object.values(PROFILES).map(({ about }) => about)).size, Object.keys(PROFILES).length);
});
