/**
 * The files of a run are made before it begins and keep their names to its end, whoever replaces what is in them: so nothing
 * that is done by such a name is ever refused for the name.
 */
import type { FileOperation } from '../history/file-calls.ts';
import type { Violation } from './violation.ts';

/** Of a record that is too long, or an offset that cannot be. */
const OF_ARGUMENTS = 'EINVAL';

export function checkRefusals(path: string, operations: readonly FileOperation[]): Violation[] {
  return operations.flatMap(({ id, client, call, begin, end, outcome }) => {
    if (outcome.kind !== 'failed' || outcome.code === OF_ARGUMENTS) return [];
    const summary = `${path}: ${call.kind} was refused with ${outcome.code}, and the file was there all the time`;
    return [{ check: 'refusals', summary, details: `${client} #${id}, from ${begin} to ${end}` }];
  });
}
