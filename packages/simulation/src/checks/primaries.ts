/** Two primaries never serve at the same time, whatever their clocks say: leases, views and terms keep them apart. */
import { secondsOf, type Violation } from './violation.ts';

/** From the first to the last answer that a server gave as primary of a chunk under one view and term; virtual time. */
export interface Served {
  readonly chunk: string;
  readonly server: string;
  readonly version: number;
  readonly term: number;
  readonly fromMs: number;
  readonly toMs: number;
}

export function checkPrimaries(served: readonly Served[]): Violation[] {
  const violations: Violation[] = [];
  const report = (a: Served, b: Served, why: string) =>
    violations.push({
      check: 'primaries',
      summary: `chunk ${a.chunk}: ${a.server} and ${b.server} ${why}`,
      details: [a, b].map(lineOf).join('\n'),
    });
  const inOrder = [...served].sort((a, b) => a.fromMs - b.fromMs || a.toMs - b.toMs);
  const byChunk = new Map<string, Served[]>();
  const byTerm = new Map<string, Served>();
  for (const now of inOrder) {
    const earlier = byChunk.get(now.chunk) ?? [];
    byChunk.set(now.chunk, earlier);
    for (const before of earlier) {
      if (before.server === now.server) continue;
      if (before.toMs >= now.fromMs) report(before, now, 'served as its primary at once');
      else if (isOlder(now, before)) report(before, now, 'served it in the wrong order');
    }
    earlier.push(now);
    const term = `${now.chunk} ${now.version} ${now.term}`;
    const holder = byTerm.get(term) ?? now;
    byTerm.set(term, holder);
    if (holder.server !== now.server && holder.toMs < now.fromMs) report(holder, now, 'held the same term');
  }
  return violations;
}

function isOlder(a: Served, b: Served): boolean {
  return a.version < b.version || (a.version === b.version && a.term < b.term);
}

function lineOf({ server, version, term, fromMs, toMs }: Served): string {
  return `${server}: version ${version}, term ${term}, ${secondsOf(fromMs)} to ${secondsOf(toMs)}`;
}
