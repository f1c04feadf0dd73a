/** Numbers that never go back: what was durable once is there after every restart, and nobody is told less than before. */
import { secondsOf, type Violation } from './violation.ts';

/** A number as somebody held it, in the order in which a run came by. */
export interface Observed {
  /** Virtual time. */
  readonly atMs: number;
  readonly chunk: string;
  /** `master`, or a chunkserver with its replica: who holds the number. A replica made anew is another holder. */
  readonly holder: string;
  readonly version: number;
  /** Within a version. */
  readonly term?: number;
  /** Highest committed; it rises through versions. */
  readonly sequence?: number;
}

export function checkMonotonic(observations: readonly Observed[]): Violation[] {
  const violations: Violation[] = [];
  const latest = new Map<string, Observed>();
  for (const now of observations) {
    const key = `${now.chunk} ${now.holder}`;
    const before = latest.get(key);
    latest.set(key, { ...before, ...now });
    const fallen = before === undefined ? undefined : whatFell(before, now);
    if (fallen === undefined) continue;
    violations.push({
      check: 'monotonic',
      summary: `chunk ${now.chunk}: the ${fallen} of ${now.holder} went back`,
      details: [before!, now].map(lineOf).join('\n'),
    });
  }
  return violations;
}

function whatFell(before: Observed, now: Observed): string | undefined {
  if (now.version < before.version) return 'version';
  if (now.version === before.version && (now.term ?? Number.POSITIVE_INFINITY) < (before.term ?? 0)) return 'term';
  return (now.sequence ?? Number.POSITIVE_INFINITY) < (before.sequence ?? 0) ? 'sequence' : undefined;
}

function lineOf({ atMs, version, term, sequence }: Observed): string {
  return `${secondsOf(atMs)}: version ${version}, term ${term ?? '?'}, committed ${sequence ?? '?'}`;
}
