/**
 * `npm run bench`: a fresh local cluster in a temporary folder, every workload once (after an untimed run), the machine's own limits in the
 * same run, and what each server used. `--json` prints the figures for programs; `--only TEXT` picks workloads, `--names N` is the
 * size of the directory that is listed.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { connect } from '@cairnfs/client/node';
import { listingWorkloads } from './listing.ts';
import { measureMachine } from './machine-limits.ts';
import { type ProcessUsage, usageOf } from './processes.ts';
import { WORKLOADS } from './workloads.ts';

const LAUNCHER = fileURLToPath(new URL('../../packages/cli/bin/cairn.js', import.meta.url));
const PORT_FIRST = 21_900;

interface Row {
  name: string;
  unit: string;
  rate: number;
  floor: number | undefined;
  aim: number;
  ofMachine: number | undefined;
  cpuSeconds: number[];
}

const HELP = `npm run bench -- [--json] [--only TEXT] [--names N]

Measures a fresh local cluster against this machine's own limits; with nothing else running it takes three minutes.

  --json       the figures for programs
  --only TEXT  only the workloads whose name contains TEXT, for example --only append
  --names N    names in the directory that is listed (default 100000)
`;

const options = readOptions();
if (options.help) {
  process.stdout.write(HELP);
  process.exit();
}
const directory = mkdtempSync(join(tmpdir(), 'cairn-bench-'));
try {
  await main();
} finally {
  rmSync(directory, { recursive: true, force: true });
}

function readOptions() {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  try {
    const known = { help: flag, json: flag, only: text, names: { ...text, default: '100000' } };
    const { values } = parseArgs({ options: known });
    if (/^[1-9][0-9]{0,7}$/.test(values.names)) return values;
    throw new TypeError(`--names '${values.names}' is not a number of names from 1 to 99999999`);
  } catch (error) {
    process.stderr.write(`bench: ${(error as Error).message}\n${HELP}`);
    process.exit(2);
  }
}

async function main(): Promise<void> {
  note("measuring the machine's own limits");
  const limits = await measureMachine(directory);
  note('starting a cluster');
  const cluster = await startCluster();
  const client = await connect({ masters: [cluster.master] });
  const rows: Row[] = [];
  try {
    await client.mkdir('/bench');
    for (const workload of [...WORKLOADS, ...listingWorkloads(Number(options.names))]) {
      if (options.only !== undefined && !workload.name.includes(options.only)) continue;
      note(workload.name);
      await workload.prepare?.(client);
      await workload.run(client, workload.warmUp, 'warm');
      const before = cluster.pids.map(usageOf);
      const started = performance.now();
      const amount = await workload.run(client, workload.pieces, 'timed');
      const elapsedMs = performance.now() - started;
      const rate = workload.unit === 'ms' ? elapsedMs / amount : amount / (elapsedMs / 1000);
      const cpuSeconds = cluster.pids.map((pid, index) => usageOf(pid).cpuSeconds - before[index]!.cpuSeconds);
      const ofMachine = workload.limit === undefined ? undefined : rate / limits[workload.limit];
      rows.push({ ...workload, rate, ofMachine, cpuSeconds });
    }
    const usages = cluster.pids.map(usageOf);
    if (options.json) print(JSON.stringify({ limits, rows, usages }, undefined, 2));
    else printTable(limits, rows, usages);
  } finally {
    await client.close();
    await cluster.stop();
  }
}

async function startCluster(): Promise<{ master: string; pids: number[]; stop(): Promise<void> }> {
  const args = ['up', '--dir', join(directory, 'cluster'), '--port', String(PORT_FIRST), '--json'];
  const child = spawn(process.execPath, [LAUNCHER, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const ready = new Promise<{ master: string; pids: number[] }>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const event = JSON.parse(line) as { event: string; master: string; pids: number[] };
      if (event.event === 'ready') resolve(event);
    });
    child.once('exit', (code) => reject(new Error(`cairn up ended with exit code ${code}`)));
  });
  const { master, pids } = await ready;
  return {
    master,
    pids,
    async stop() {
      child.kill('SIGTERM');
      await exited;
    },
  };
}

function printTable(limits: Awaited<ReturnType<typeof measureMachine>>, rows: Row[], usages: ProcessUsage[]): void {
  const cells = [
    ['work', 'rate', 'floor', 'aim', 'of the machine', 'CPU s: master, chunkservers'],
    ...rows.map((row) => [
      row.name,
      `${row.unit === 'ms' ? row.rate.toFixed(1) : Math.round(row.rate).toLocaleString('en')} ${row.unit}`,
      row.floor === undefined ? '' : `${isReached(row, row.floor) ? '' : 'MISSED '}${row.floor.toLocaleString('en')}`,
      row.aim.toLocaleString('en'),
      row.ofMachine === undefined ? '' : row.ofMachine.toFixed(2),
      row.cpuSeconds.map((seconds) => seconds.toFixed(1)).join(' '),
    ]),
  ];
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)));
  for (const row of cells)
    print(
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    );
  print('');
  print(
    `this machine: three local copies with fdatasync ${Math.round(limits.threeCopiesMbPerSecond)} MB/s, local read ` +
      `${Math.round(limits.readMbPerSecond)} MB/s, loopback ${Math.round(limits.loopbackMbPerSecond)} MB/s, ` +
      `fdatasync ${Math.round(limits.fdatasyncPerSecond)}/s`,
  );
  usages.forEach((usage, index) => {
    const name = index === 0 ? 'master' : `chunkserver ${index}`;
    const mib = (bytes: number) => Math.round(bytes / 1024 / 1024);
    print(
      `${name}: ${usage.cpuSeconds.toFixed(1)} s CPU, ${mib(usage.memoryBytes)} MiB resident, ${mib(usage.ownMemoryBytes)} MiB of it ` +
        `its own (the rest: pages of its files and of node), at most ${mib(usage.peakMemoryBytes)} MiB resident`,
    );
  });
}

function isReached({ unit, rate }: Row, floor: number): boolean {
  return unit === 'ms' ? rate <= floor : rate >= floor;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function note(message: string): void {
  process.stderr.write(`bench: ${message}\n`);
}
