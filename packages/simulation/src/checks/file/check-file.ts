/** The history of one file against its promises: one order of atomic changes explains everything that anyone saw. */
import type { FileOperation } from '../../history/file-calls.ts';
import { check, STEPS_MAX } from '../linearizability/checker.ts';
import { shrinkHistory } from '../shrink-history.ts';
import type { Violation } from '../violation.ts';
import { Contents } from './contents.ts';
import { type FileIntervals, type FileRules, prepareFile, tellingEnds } from './file-intervals.ts';
import { FileModel } from './file-model.ts';
import { storyOf } from './file-story.ts';

/** Of each smaller history that is tried: there are hundreds. */
const SHRINK_STEPS_MAX = 30_000;

export interface FileVerdict {
  readonly violation: Violation | undefined;
  /** Telling would take too long: neither legal nor illegal. */
  readonly isUndecided: boolean;
}

export function checkFile(path: string, operations: readonly FileOperation[], rules: FileRules): FileVerdict {
  const contents = contentsOf(operations);
  let moreEnds: ReadonlySet<number> | undefined;
  let kind = judge(operations, rules, contents);
  if (kind === 'ends unknown') {
    const { ends, areAll } = tellingEnds(operations, rules, contents);
    moreEnds = ends;
    kind = judge(operations, rules, contents, { moreEnds });
    if (kind === 'violation' && !areAll) kind = 'undecided';
  }
  if (kind !== 'violation') return { violation: undefined, isUndecided: kind === 'undecided' };
  const smallest = shrinkHistory(operations, isObservation, (some) => {
    return judge(some, rules, contents, { moreEnds, stepsMax: SHRINK_STEPS_MAX }) === 'violation';
  });
  const violation = {
    check: 'file',
    summary: `${path}: no order of the changes explains what was read`,
    details: storyOf(smallest, contents),
  };
  return { violation, isUndecided: false };
}

/** @returns  'ends unknown': a violation, unless a write was cut where it was not tried. */
function judge(
  operations: readonly FileOperation[],
  rules: FileRules,
  contents: Contents,
  { moreEnds, stepsMax = STEPS_MAX }: { moreEnds?: ReadonlySet<number> | undefined; stepsMax?: number } = {},
): 'ok' | 'violation' | 'ends unknown' | 'undecided' {
  const { likely, whole, areEndsKnown } = prepareFile(operations, rules, contents, moreEnds);
  const decide = ({ intervals }: FileIntervals) => check(new FileModel(contents), intervals, { stepsMax }).kind;
  let kind = decide(likely);
  if (kind !== 'ok' && whole !== undefined) kind = decide(whole);
  return kind === 'violation' && !areEndsKnown && moreEnds === undefined ? 'ends unknown' : kind;
}

export function contentsOf(operations: readonly FileOperation[]): Contents {
  const lengths = new Map<number, number>();
  for (const { call } of operations) if ('writeId' in call) lengths.set(call.writeId, call.length);
  return new Contents(lengths);
}

function isObservation({ call }: FileOperation): boolean {
  return call.kind === 'read' || call.kind === 'size';
}
