import { deepEqual, equal, match } from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { freePorts } from './harness/free-ports.ts';

const LAUNCHER = fileURLToPath(new URL('../../packages/cli/bin/cairn.js', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'cairn-up-'));
after(() => rmSync(directory, { recursive: true, force: true }));

test('up: runs a whole cluster, ends cleanly on SIGTERM, and continues with the data', {
  timeout: 180_000,
}, async () => {
  const port = (await freePorts(4))[0]!;
  const cluster = join(directory, 'cluster');
  const first = await up(cluster, port);
  equal(cairn(port, ['append', '/notes'], 'kept\n').status, 0);
  equal(await first.end('SIGTERM'), 0);
  for (const pid of first.pids) equal(existsSync(`/proc/${pid}`), false, `server ${pid} outlived up`);
  equal(existsSync(join(cluster, 'logs', 'master.log')), true);

  const second = await up(cluster, port);
  equal(cairn(port, ['cat', '/notes']).stdout, 'kept\n');
  equal(await second.end('SIGINT'), 0);
});

test('up: Ctrl-C in a terminal, which reaches the servers too, ends them cleanly', { timeout: 120_000 }, async () => {
  const cluster = join(directory, 'terminal');
  const running = await up(cluster, (await freePorts(4))[0]!);
  equal(await running.end('SIGINT', 'all'), 0);
  // A server that ends cleanly releases its folder.
  for (const name of ['master', 'chunkserver-1', 'chunkserver-2', 'chunkserver-3']) {
    equal(readFileSync(join(cluster, name, 'lock'), 'utf8').trim(), '', name);
  }
});

test('up: servers end with it even when it is killed', { timeout: 120_000 }, async () => {
  const port = (await freePorts(4))[0]!;
  const running = await up(join(directory, 'killed'), port);
  await running.end('SIGKILL');
  const giveUpAtMs = performance.now() + 30_000;
  while (running.pids.some((pid) => existsSync(`/proc/${pid}`))) {
    if (performance.now() > giveUpAtMs) throw new Error(`servers ${running.pids.join(', ')} outlived up`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
});

test('up: a taken port is named, and nothing is left of the attempt', { timeout: 120_000 }, async () => {
  const port = (await freePorts(4))[0]!;
  const running = await up(join(directory, 'taken'), port);
  const empty = join(directory, 'empty');
  mkdirSync(empty);
  for (const dir of [join(directory, 'not-there', 'yet'), empty]) {
    match(refusedUp(dir, port, []), new RegExp(`port ${port} is taken`));
  }
  equal(existsSync(join(directory, 'not-there')), false);
  deepEqual(readdirSync(empty), []);
  match(refusedUp(join(directory, 'taken'), port, []), /EBUSY/);
  equal(await running.end('SIGTERM'), 0);
});

test('up: a directory that another one runs on is refused in one line, and stays as it is', {
  timeout: 120_000,
}, async () => {
  const port = (await freePorts(4))[0]!;
  const cluster = join(directory, 'shared');
  const running = await up(cluster, port);
  const other = (await freePorts(5))[0]!;
  const result = refusedUp(cluster, other, ['--chunkservers', '4']);
  match(result, /^cairn: EBUSY: [^\n]*up\.lock is not free: process \d+ holds it[^\n]*\n$/);
  equal(existsSync(join(cluster, 'chunkserver-4.toml')), false);
  equal(await running.end('SIGTERM'), 0);
  equal(readFileSync(join(cluster, 'up.lock'), 'utf8').trim(), '');
});

test('up: a server whose folder another process uses is not started again', { timeout: 120_000 }, async () => {
  const port = (await freePorts(4))[0]!;
  const cluster = join(directory, 'held');
  const running = await up(cluster, port);
  // As if its servers had been started one by one.
  rmSync(join(cluster, 'up.lock'));
  const lines = refusedUp(cluster, (await freePorts(4))[0]!, [])
    .trimEnd()
    .split('\n');
  equal(lines.filter((line) => line.includes('EBUSY')).length, 1);
  match(lines.at(-1)!, /^cairn: [a-z0-9-]+ does not start: EBUSY: .* process \d+ holds it/);
  equal(cairn(port, ['append', '/notes'], 'kept\n').status, 0);
  equal(await running.end('SIGTERM'), 0);
});

/** What an `up` says that ends by itself. */
function refusedUp(dir: string, port: number, args: readonly string[]): string {
  const command = [LAUNCHER, 'up', '--dir', dir, '--port', String(port), ...args];
  const result = spawnSync(process.execPath, command, { encoding: 'utf8' });
  equal(result.status, 1);
  return result.stderr;
}

interface Running {
  pids: number[];
  /** Sends the signal to `up` alone, or as a terminal does to it and all that it started. */
  end(signal: NodeJS.Signals, to?: 'one' | 'all'): Promise<number | null>;
}

async function up(dir: string, port: number): Promise<Running> {
  const child: ChildProcess = spawn(
    process.execPath,
    [LAUNCHER, 'up', '--dir', dir, '--port', String(port), '--json'],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true, // a process group of its own
    },
  );
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  const pids = await new Promise<number[]>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`up ended with exit code ${code}`)));
    createInterface({ input: child.stdout! }).on('line', (line) => {
      const event = JSON.parse(line) as { event: string; pids: number[] };
      if (event.event === 'ready') resolve(event.pids);
    });
  });
  return {
    pids,
    end(signal, to = 'one') {
      process.kill(to === 'one' ? child.pid! : -child.pid!, signal);
      return exited;
    },
  };
}

function cairn(port: number, args: string[], input = ''): { status: number | null; stdout: string } {
  const env = { ...process.env, CAIRN_MASTER: `127.0.0.1:${port}` };
  return spawnSync(process.execPath, [LAUNCHER, ...args], { encoding: 'utf8', input, env });
}
