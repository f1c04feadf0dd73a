import { equal, match, ok, rejects } from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { MUTANTS } from './mutants.ts';
import { untilCaught } from './until-caught.ts';

const MAIN = fileURLToPath(new URL('./main.js', import.meta.url));
const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));

test('mutants: an error of usage ends with code 2, and its last line points to the help', () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, '--profile', 'nosuch'], { encoding: 'utf8' });
  equal(status, 2);
  equal(stdout, '');
  match(stderr, /^simulate:mutants: --profile nosuch: .*\nsee "npm run simulate:mutants -- --help"\n$/);
});

test('mutants: Ctrl-C removes the copy and tells what was not tried', { timeout: 120_000 }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'mutants-test-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const child = spawn(process.execPath, [MAIN, '--only', 'dirty-read'], {
    env: { ...process.env, TMPDIR: folder },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  const printed = text(child.stdout);
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  while (readdirSync(folder).length === 0) await setTimeout(20);
  child.kill('SIGINT');
  equal(await exited, 130);
  equal(readdirSync(folder).join(), '');
  match(await printed, /SIGINT\ncaught: 0 of 1\nnot tried: dirty-read\n$/);
});

test('mutants: one that is kept stays in its copy, where the simulator runs with it', { timeout: 120_000 }, (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'mutants-test-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const part = ['--profile', 'calm/short', '--schedules', '1', '--workers', '1'];
  const { stdout } = spawnSync(process.execPath, [MAIN, '--only', 'dirty-read', '--keep', ...part], {
    env: { ...process.env, TMPDIR: folder },
    encoding: 'utf8',
  });
  const [copy] = readdirSync(folder);
  match(stdout, new RegExp(`^kept: ${join(folder, copy!)}$`, 'm'));
  const { file, to } = MUTANTS.find(({ name }) => name === 'dirty-read')!.edits[0]!;
  ok(readFileSync(join(folder, copy!, file), 'utf8').includes(to));
  const again = spawnSync('npm', ['run', 'simulate', '--', '--schedule', 'calm/short:1'], {
    cwd: join(folder, copy!),
    encoding: 'utf8',
  });
  match(again.stdout, /^schedules +1 in /m, again.stderr);
});

test('mutants: what the simulator complains about is passed on', async () => {
  await rejects(untilCaught(ROOT, ['--profile', 'nosuch'], 1), ({ message }: Error) => {
    match(message, /^the simulator ended with exit code 2\n/);
    match(message, /--profile nosuch/);
    return true;
  });
});
