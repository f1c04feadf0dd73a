/** Puts a mutant's edits into source texts. */
import type { Edit } from './mutant.ts';

/** @throws Error  when the text does not have the passage exactly once. */
export function edited(text: string, { file, from, to }: Edit): string {
  const at = text.indexOf(from);
  if (at < 0) throw new Error(`${file} has no '${from}' any more: bring the mutant up to date`);
  if (text.indexOf(from, at + 1) >= 0) throw new Error(`${file} has '${from}' more than once: name more of it`);
  return text.slice(0, at) + to + text.slice(at + from.length);
}
