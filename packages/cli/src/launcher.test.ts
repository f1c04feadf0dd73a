import { equal } from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const LAUNCHER = fileURLToPath(new URL('../bin/cairn.js', import.meta.url));
const THREADS_FOR_A_DISK = 6;
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

const config = join(directory, 'chunkserver.toml');
writeFileSync(config, 'rack = "a"\ndisks = [\n  "/disk1",\n  "/disk2",\n]\n');
const yaml = join(directory, 'chunkserver.yaml');
writeFileSync(yaml, 'disks:\n  - /disk1\n  - /disk2\nrack: a\n');

test('launcher: a chunkserver has threads for each of its disks, everything else as many as Node', {
  skip: !existsSync(TASKS),
}, () => {
  const usual = threadsOf(['chunkserver', '--help']);
  const more = (...args: string[]) => threadsOf(['chunkserver', ...args, '--help']) - usual;
  equal(more('--set', 'disks=["/disk1"]'), 0);
  equal(more('--config', join(directory, 'none.toml')), 0);
  equal(more('--set', 'disks=["/disk1", "/disk2"]'), 2 * THREADS_FOR_A_DISK);
  equal(more('--set=disks=["/disk1", "/disk2", "/disk3"]'), 3 * THREADS_FOR_A_DISK);
  equal(more('--config', config), 2 * THREADS_FOR_A_DISK);
  equal(more(`--config=${yaml}`), 2 * THREADS_FOR_A_DISK);
  equal(threadsOf(['master', '--help']), usual);
  equal(threadsOf(['status', '--help']), usual);
});

test('launcher: a number of threads that the user has set stays', { skip: !existsSync(TASKS) }, () => {
  const [eight, nine] = ['8', '9'].map((size) => threadsOf(['chunkserver', '--config', config, '--help'], size));
  equal(nine! - eight!, 1);
});
