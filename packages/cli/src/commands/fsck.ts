/** `fsck`: a verdict over every chunk of every file, once the master knows enough to give one. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { CairnClient, ClusterStatus } from '@cairnfs/client';
import type { Command } from 'commander';
import { action, type CommandContext, type GlobalOptions, userCommand } from '../command.ts';
import { printableName } from '../output/listing.ts';
import { counted, formatDuration, formatSize } from '../output/units.ts';
import { remotePath } from '../paths.ts';
import { countedTree, WHAT_COUNTS } from '../tree-sum.ts';

const SAFE_MODE_POLL_MS = 250;

export function fsckCommand(): Command {
  return userCommand('fsck', ['cairn fsck', 'cairn fsck /films --json'])
    .argument('[path]', 'a file or directory', '/')
    .addHelpText(
      'after',
      `While the master is in safe mode, fsck waits for its end, for --timeout at most.\n\n${WHAT_COUNTS}`,
    )
    .action(action<[string], GlobalOptions>(fsck));
}

async function fsck(context: CommandContext, _options: GlobalOptions, text: string): Promise<void> {
  const client = await context.client();
  const path = remotePath(text);
  const { signal, timeoutMs } = context;
  const status = await outOfSafeMode(client, {
    timeoutMs,
    signal,
    nowMs: () => performance.now(),
    pause: () => sleep(SAFE_MODE_POLL_MS, undefined, { signal }),
    tell: (line) => process.stderr.write(`cairn: ${line}\n`),
  });
  if (status.safeMode) return noVerdict(context, path, true, `safe mode: no verdict yet: ${status.safeModeReason}`);
  const total = { files: 0, directories: 0, chunks: 0, chunkBytes: 0, storedBytes: 0, problems: 0 };
  for await (const page of client.check(path, { signal })) {
    total.files += page.fileCount;
    total.directories += page.directoryCount;
    total.chunks += page.chunkCount;
    total.chunkBytes += page.byteCount;
    total.storedBytes += page.storedByteCount;
    total.problems += page.problems.length;
    for (const problem of page.problems) {
      if (context.json) await context.printJson({ problem });
      else await context.write(`${printableName(problem.path)}: ${problem.kind}: ${problem.message}\n`);
    }
  }
  // A master that started again knew too little for a while.
  if ((await client.clusterStatus({ signal })).startedMs !== status.startedMs)
    return noVerdict(context, path, false, 'the master started again meanwhile: no verdict; try again');
  if (context.json) await context.printJson({ path, ...total, healthy: total.problems === 0, safeMode: false });
  else {
    const found = total.problems === 0 ? 'healthy' : counted(total.problems, 'problem');
    await context.write(
      `${printableName(path)}: ${found}: ${countedTree(total)}, ${counted(total.chunks, 'chunk')}, ` +
        `${formatSize(total.chunkBytes)}\n`,
    );
  }
  context.noteProblems(total.problems);
}

async function noVerdict(context: CommandContext, path: string, safeMode: boolean, why: string): Promise<void> {
  if (context.json) await context.printJson({ path, healthy: null, safeMode, why });
  context.fail(new Error(why));
}

export interface Waiting {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  nowMs(): number;
  /** Between two looks. */
  pause(): Promise<void>;
  /** Told once what is waited for. */
  tell(line: string): void;
}

/** The cluster's status once safe mode is over, or, in safe mode still, when the time is. */
export async function outOfSafeMode(
  client: Pick<CairnClient, 'clusterStatus'>,
  { timeoutMs, signal, nowMs, pause, tell }: Waiting,
): Promise<ClusterStatus> {
  const endMs = nowMs() + timeoutMs;
  for (let isTold = false; ; isTold = true) {
    const status = await client.clusterStatus({ signal });
    if (!status.safeMode || nowMs() >= endMs) return status;
    if (!isTold)
      tell(`safe mode: ${status.safeModeReason}; waiting for ${formatDuration(timeoutMs)} at most (--timeout)`);
    await pause();
  }
}
