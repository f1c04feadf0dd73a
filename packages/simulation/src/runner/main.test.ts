import { equal, match, ok } from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('./main.js', import.meta.url));
const ENDLESS = ['--profile', 'short', '--seed', '1', '--minutes', '60', '--workers', '2'];
const TIMEOUT_MS = 60_000;

/** @param begun is called at the first thing that is printed. */
async function simulate(args: readonly string[], begun: (child: ReturnType<typeof spawn>) => void = () => undefined) {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'], timeout: TIMEOUT_MS });
  let printed = '';
  let errors = '';
  child.stdout.on('data', (data) => {
    if (printed === '') begun(child);
    printed += data;
  });
  child.stderr.on('data', (data) => {
    errors += data;
  });
  const [code] = await once(child, 'close');
  return { code, printed, errors };
}

test('simulate: a signal ends it with the summary of what has run', async () => {
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    const done = await simulate(ENDLESS, (child) => void child.kill(signal));
    equal(done.code, code, done.errors);
    match(done.printed, /not ended: seed 1, short\n {2}npm run simulate -- --schedule short:1\n/);
    match(done.printed, /^schedules +\d+ in (.*\n)*violations +none\nended by /m);
  }
});

test('simulate: of part of a schedule that did not end the command names the part', async () => {
  const done = await simulate(
    ['--schedule', 'short:1', '--operations', '1-39', '--faults', 'none'],
    (child) => void child.kill('SIGINT'),
  );
  equal(done.code, 130, done.errors);
  match(done.printed, /\n {2}npm run simulate -- --schedule short:1 --operations 1-39 --faults none\n/);
});

test('simulate: many schedules are run without operations and faults', async () => {
  const part = ['--operations', 'none', '--faults', 'none'];
  const done = await simulate(['--profile', 'storm/short', '--seed', '1', '--schedules', '2', ...part]);
  equal(done.code, 0, done.printed);
  match(done.printed, /^schedules +2 in /m);
  match(done.printed, /^faults +none$/m);
});

test('simulate: what is typed wrong is answered with two lines and exit code 2', async () => {
  const { code, printed, errors } = await simulate(['--profile', 'storm', '--seed', '-1']);
  equal(code, 2);
  equal(printed, '');
  match(errors, /^simulate: --seed -1: a whole number from 0 to \d+ is wanted\nsee "npm run simulate -- --help"\n$/);
});

test('simulate: help is asked for with -h as well', async () => {
  const { code, printed } = await simulate(['-h']);
  equal(code, 0);
  match(printed, /^usage: /);
});

test('simulate: the profiles are listed', async () => {
  const { code, printed } = await simulate(['--list']);
  equal(code, 0);
  match(printed, /^default +300 operations .*\ncalm +no faults/);
});

test('simulate: however few the minutes are, something is run', async () => {
  const { code, printed } = await simulate(['--minutes', '0.0000001', '--profile', 'calm/short', '--seed', '1']);
  equal(code, 0);
  ok(/^schedules +1 in /m.test(printed), printed);
});
