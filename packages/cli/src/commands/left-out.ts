/** What a transfer of a tree left out or could not do: a line each, and the same in --json. */
import type { TransferResult } from '@cairnfs/client/node';
import type { CommandContext } from '../command.ts';
import { describeFailure } from '../failure.ts';
import { printableName } from '../output/listing.ts';
import { counted } from '../output/units.ts';

export function tellLeftOut(context: CommandContext, verb: string, { skipped, failed }: LeftOut): void {
  for (const { path, reason } of skipped) {
    process.stderr.write(`cairn: skipped '${printableName(path)}': ${reason}\n`);
  }
  if (skipped.length > 0) process.stderr.write(`cairn: ${counted(skipped.length, 'entry', 'entries')} skipped\n`);
  for (const { path, error } of failed) context.fail(new Error(`cannot ${verb} '${path}': ${describeFailure(error)}`));
}

type LeftOut = Pick<TransferResult, 'skipped' | 'failed'>;

/** `failed` and `skipped` with path and reason; nothing of what there is none of. */
export function leftOutJson({ skipped, failed }: Partial<LeftOut>): object {
  return {
    ...(failed === undefined || failed.length === 0
      ? {}
      : { failed: failed.map(({ path, error }) => ({ path, reason: describeFailure(error) })) }),
    ...(skipped === undefined || skipped.length === 0 ? {} : { skipped }),
  };
}
