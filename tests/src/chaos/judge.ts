/** The histories of a run against the promises. */
import { checkLog } from './check-log.ts';
import type { RecordedHistories } from './operation-log.ts';

export interface Violation {
  readonly check: string;
  readonly summary: string;
  readonly details: string;
}

export interface Verdict {
  readonly violations: readonly Violation[];
  /** Objects whose history took too long to judge. */
  readonly undecided: readonly string[];
}

/** @param logs  the files to which records were appended and nothing else was done. */
export function judge(histories: RecordedHistories, { logs }: { logs: readonly string[] }): Verdict {
  const violations: Violation[] = [];
  for (const path of logs) {
    const wrong = checkLog(histories.files.get(path)?.() ?? []);
    if (wrong !== undefined) violations.push({ check: 'log', summary: `${path}: ${wrong}`, details: '' });
  }
  return { violations, undecided: [] };
}
