/** What an error of the SDK says about whether the operation happened. */
import { type ErrorCode, FsError } from '@cairnfs/base';

/** The namespace says no, before anything changed. All other errors leave it open: parts may be done, or be done later. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set([
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'NOT_A_DIRECTORY',
  'IS_A_DIRECTORY',
  'NOT_EMPTY',
  'INVALID_ARGUMENT',
] as const);

/** The POSIX code of a definite refusal, undefined when the operation may have happened or may yet happen. */
export function refusalOf(error: unknown): string | undefined {
  return error instanceof FsError && REFUSALS.has(error.kind) ? error.code : undefined;
}
