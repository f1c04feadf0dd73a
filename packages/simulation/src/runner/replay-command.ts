/** What somebody types to run a schedule again. */
import { formatIds, type Selection } from '../schedule/selection.ts';
import { formatName, type ScheduleName } from './schedule-names.ts';

/** @param only what of it is run, where that is not all. */
export function replayCommand(name: ScheduleName, only: Selection = {}): string {
  const { operations, faults } = only;
  const part = (option: string, ids: readonly number[] | undefined) =>
    ids === undefined ? '' : ` --${option} ${formatIds(ids)}`;
  return `npm run simulate -- --schedule ${formatName(name)}${part('operations', operations)}${part('faults', faults)}`;
}
