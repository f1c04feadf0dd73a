import { match } from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { lockClusterDirectory } from './cluster-directory.ts';

const directory = mkdtempSync(join(tmpdir(), 'cairn-cluster-directory-'));
after(() => rmSync(directory, { recursive: true, force: true }));

const refusalOf = (path: string): Promise<string> =>
  lockClusterDirectory(path).then(
    () => 'held',
    (error: Error) => error.message,
  );

test('cluster directory: one that cannot be made or written to is refused at once, with cause and advice', async () => {
  const file = join(directory, 'file');
  writeFileSync(file, 'kept');
  match(await refusalOf(file), /^no cluster can be kept in '.*file': a file is in its .*: name another with --dir$/);
  match(await refusalOf(join(file, 'below')), /'.*file\/below': a file is in its way \(ENOTDIR\): name another/);
  for (const path of existsSync('/proc/self') ? ['/proc', '/proc/cairn', '/proc/cairn/below'] : []) {
    // Which of the two depends on the kernel: whether it refuses to sync a directory there, or only to make a file in it.
    const fault =
      /: its file system (takes no directories or files \(ENOENT\)|makes nothing durable \(EINVAL\)): name another/;
    match(await refusalOf(path), fault);
  }
});

test('cluster directory: made with what is missing above it, and held until it is released', async () => {
  const path = join(directory, 'a', 'b');
  const lock = await lockClusterDirectory(path);
  match(await refusalOf(path), /up\.lock is not free/);
  await lock.release();
  await (await lockClusterDirectory(path)).release();
});
