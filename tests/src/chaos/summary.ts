/** What a run came to, for a person. */

import type { Violation } from '@cairnfs/simulation';
import type { RunResult } from './chaos-run.ts';

export function formatSummary({ histories, faults, violations, undecided, healMs }: RunResult): string {
  const { okCount, refusedCount, unknownCount, errors, files, subtrees } = histories;
  const lines = [
    `operations  ${okCount} answered, ${refusedCount} refused, ${unknownCount} unknown; errors: ${list(errors)}`,
    `histories   of ${files.size} files and ${subtrees.size} subtrees; undecided: ${undecided.join(', ') || 'none'}`,
    `faults      ${list(faults)}`,
    `healed      ${(healMs / 1000).toFixed(1)} s after the last fault`,
    `violations  ${violations.length === 0 ? 'none' : violations.length}`,
  ];
  return lines.join('\n');
}

export function formatViolation(seed: number, { check, summary, details }: Violation): string {
  return `\nVIOLATION, seed ${seed}, ${check}: ${summary}\n${details}\n`;
}

function list(counts: ReadonlyMap<string, number>): string {
  const parts = [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, count]) => `${name} ${count}`);
  return parts.join(', ') || 'none';
}
