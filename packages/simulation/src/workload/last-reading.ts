/** Everything is read once more when all has healed: final contents, as reads and listings of one more client. */
import type { CairnClient } from '@cairnfs/client';
import type { NamespaceCall } from '../history/namespace-calls.ts';
import { type ClusterShape, fileCount, filePath } from '../schedule/schedule.ts';
import type { OperationRunner } from './operation-runner.ts';

/** Who reads it. */
export const LAST_READER = 'admin';
export const FINAL_PATIENCE_MS = 60_000;

export async function readAll(admin: CairnClient, runner: OperationRunner, shape: ClusterShape): Promise<void> {
  const patience = { timeoutMs: FINAL_PATIENCE_MS };
  for (let file = 0; file < fileCount(shape); file++) {
    const { size } = await admin.stat(filePath(file), patience);
    const read = { kind: 'read', offset: 0, length: size + 1 } as const;
    await runner.file(admin, file, { client: LAST_READER, call: read, ...patience });
    await runner.file(admin, file, { client: LAST_READER, call: { kind: 'size' }, ...patience });
  }
  for (let subtree = 0; subtree < shape.subtrees; subtree++) await listAll(admin, runner, { subtree, path: '' });
}

async function listAll(
  admin: CairnClient,
  runner: OperationRunner,
  { subtree, path }: { subtree: number; path: string },
): Promise<void> {
  const ask = (call: NamespaceCall) =>
    runner.names(admin, subtree, { client: LAST_READER, call, timeoutMs: FINAL_PATIENCE_MS });
  const listed = await ask({ kind: 'list', path });
  for (const name of listed?.names ?? []) {
    const entry = `${path}/${name}`;
    const stat = await ask({ kind: 'stat', path: entry });
    if (stat?.type === 'directory') await listAll(admin, runner, { subtree, path: entry });
    else await ask({ kind: 'read', path: entry });
  }
}
