import { equal } from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const RUNNER = fileURLToPath(new URL('../runner/main.js', import.meta.url));
const ARGS = [RUNNER, '--profile', 'scale', '--seed', '1'];

test('scale: a size that makes no sense is refused', () => {
  for (const [variable, text] of [
    ['SCALE_SERVERS', '5'],
    ['SCALE_CHUNKS', 'many'],
  ] as const) {
    const { status, stderr } = spawnSync(process.execPath, ARGS, {
      env: { ...process.env, [variable]: text },
      encoding: 'utf8',
    });
    equal(status, 2);
    equal(stderr.startsWith(`simulate: ${variable}=${text}: a whole number from `), true, stderr);
  }
});

test('scale: Ctrl-C in the middle leaves no store behind', { timeout: 60_000 }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'scale-test-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const env = { ...process.env, SCALE_SERVERS: '20', SCALE_CHUNKS: '100000', TMPDIR: folder };
  const child = spawn(process.execPath, ARGS, { env, stdio: 'ignore' });
  t.after(() => child.kill('SIGKILL'));
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  while (readdirSync(folder, { recursive: true }).length < 3) await setTimeout(20);
  child.kill('SIGINT');
  equal(await exited, 130);
  equal(readdirSync(folder).join(), '');
});
