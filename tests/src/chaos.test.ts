import { deepEqual, equal, match } from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { basename } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { findLeftovers } from './chaos/leftovers.ts';
import { runNameIn } from './chaos/run-name.ts';

const PROGRAM = fileURLToPath(new URL('./chaos/main.js', import.meta.url));
/** Its first 24 seconds have every kind of fault, a chunkserver stopped for longer than its leases, and little time without a master. */
const SEED = '167928';
const NOTHING = { pids: [], namespaces: [], folders: [] };

interface Run {
  readonly child: ChildProcess;
  /** What it has printed. */
  text(): string;
  until(pattern: RegExp): Promise<void>;
  /** Exit code or signal. */
  readonly ended: Promise<number | string>;
}

function start(...args: string[]): Run {
  const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  const ended = new Promise<number | string>((resolve) => {
    child.once('close', (code, signal) => resolve(code ?? signal!));
  });
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (piece) => (text += piece));
  const until = (pattern: RegExp) =>
    new Promise<void>((resolve, reject) => {
      child.stdout.on('data', () => {
        if (pattern.test(text)) resolve();
      });
      child.once('close', () => reject(new Error(`ended before it printed ${pattern}:\n${text}`)));
    });
  return { child, text: () => text, until, ended };
}

function leftOf(run: Run) {
  const folder = /faults in (\S+)/.exec(run.text())![1]!;
  const runName = runNameIn(basename(folder));
  return findLeftovers((name) => name === runName);
}

test('chaos: killed and stopped servers and clients, and partitions as root, break no promise', {
  timeout: 600_000,
}, async () => {
  const run = start('--seed', SEED, '--minutes', '0.4');
  equal(await run.ended, 0, run.text());
  match(run.text(), /^violations {2}none$/m);
  match(run.text(), /^faults .*kill [1-9].*killClient [1-9].*pause [1-9]/m);
  deepEqual(leftOf(run), NOTHING);
});

test('chaos: a run that is interrupted leaves nothing behind', { timeout: 300_000 }, async () => {
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    const run = start('--seed', SEED, '--minutes', '5');
    await run.until(/faults are planned/);
    run.child.kill(signal);
    equal(await run.ended, code, run.text());
    deepEqual(leftOf(run), NOTHING);
  }
});

test('chaos: what a run that was killed left behind is swept away', { timeout: 300_000 }, async () => {
  const run = start('--seed', SEED, '--minutes', '5');
  await run.until(/pause chunkserver/);
  run.child.kill('SIGKILL');
  equal(await run.ended, 'SIGKILL');
  const sweep = start('--sweep');
  equal(await sweep.ended, 0, sweep.text());
  match(sweep.text(), /removing what earlier runs left: [1-9]/);
  deepEqual(leftOf(run), NOTHING);
});
