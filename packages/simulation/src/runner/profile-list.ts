/** What `--list` prints: a line for each profile. */
import { PROFILES, SHORT } from '../schedule/profiles.ts';
import { SCALE_PROFILE } from './option-values.ts';

const NAME_WIDTH = 12;

export function formatProfiles(): string {
  const lines = Object.entries(PROFILES).map(([name, { about }]) => line(name, about));
  lines.push(
    line(SCALE_PROFILE, 'no schedules: what many chunkservers cost the master, without faults'),
    line(
      `NAME${SHORT}`,
      'one of these but short and scale: a sixth of its operations and faults in a quarter of the time',
    ),
  );
  return lines.join('\n');
}

function line(name: string, about: string): string {
  return `${name.padEnd(NAME_WIDTH)} ${about}`;
}
