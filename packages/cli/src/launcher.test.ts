import { equal, ok } from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const LAUNCHER = fileURLToPath(new URL('../bin/cairn.js', import.meta.url));
/** As much as a server needs that has a few disks; Node has 11 threads by itself. */
const MANY = 48;
const TASKS = '/proc/self/task';

const directory = mkdtempSync(join(tmpdir(), 'cairn-launcher-'));
const counter = join(directory, 'counter.cjs');
writeFileSync(
  counter,
  `process.on('exit', () => console.error('threads=' + require('node:fs').readdirSync('${TASKS}').length));`,
);
after(() => rmSync(directory, { recursive: true, force: true }));

/** Threads of the process at its end, when it has loaded its program and so used the pool. */
function threadsOf(args: string[], poolThreads?: string): number {
  const { UV_THREADPOOL_SIZE: _, ...others } = process.env;
  const env = poolThreads === undefined ? others : { ...others, UV_THREADPOOL_SIZE: poolThreads };
  const { status, stderr } = spawnSync(process.execPath, ['--require', counter, LAUNCHER, ...args], { env });
  equal(status, 0, stderr.toString());
  return Number(/threads=(\d+)/.exec(stderr.toString())?.[1]);
}

test('launcher: servers have threads for several disks, other commands as many as Node', {
  skip: !existsSync(TASKS),
}, () => {
  ok(threadsOf(['master', '--help']) > MANY);
  ok(threadsOf(['chunkserver', '--help']) > MANY);
  ok(threadsOf(['status', '--help']) < MANY);
});

test('launcher: a number of threads that the user has set stays', { skip: !existsSync(TASKS) }, () => {
  ok(threadsOf(['master', '--help'], '8') < MANY);
});
