/** `npm run simulate -- --profile scale`: the real machine's counters and a real state store under the simulated master. */
import { mkdtempSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { PerformanceObserver, performance } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { toError } from '@cairnfs/base';
import { openLmdbStateStore } from '@cairnfs/server';
import type { Interval } from './cost-meter.ts';
import { formatReport } from './format-report.ts';
import { runScale, type ScaleMeasures } from './run-scale.ts';

/** One server is lost and then two, and three have to be left for all copies. */
const SERVERS = { variable: 'SCALE_SERVERS', usual: 1000, least: 6 };
const CHUNKS = { variable: 'SCALE_CHUNKS', usual: 1_000_000, least: 1 };
/** One gigabit a second. */
const COPY_BYTES_PER_SECOND = 125e6;
const INVENTORY_PART_MAX = 10_000;
/** Shorter ones do not block anything, and there are tens of thousands. */
const COLLECTION_MS_MIN = 5;

/** @returns the exit code: 0 when everything was repaired, 1 when not, 2 when a size makes no sense. */
export async function runScaleProfile(seed: number): Promise<number> {
  let sizes: { readonly servers: number; readonly chunks: number };
  try {
    sizes = { servers: sizeOf(SERVERS), chunks: sizeOf(CHUNKS) };
  } catch (error) {
    console.error(toError(error).message);
    return 2;
  }
  const folder = temporaryFolder();
  const options = {
    ...sizes,
    seed,
    copyBytesPerSecond: COPY_BYTES_PER_SECOND,
    inventoryPartMax: INVENTORY_PART_MAX,
    openStateStore: (directory: string) => openLmdbStateStore(join(folder, directory)),
  };
  const report = await runScale(options, { measures: realMeasures(), log: (line) => console.error(line) });
  console.log(formatReport(report));
  return report.repairs.every(({ incomplete }) => incomplete === 0) ? 0 : 1;
}

function sizeOf({ variable, usual, least }: { variable: string; usual: number; least: number }): number {
  const text = process.env[variable] ?? String(usual);
  const size = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(size) || size < least) {
    throw new Error(`${variable}=${text}: a whole number from ${least} is wanted`);
  }
  return size;
}

/** Removed however this process ends, short of being killed. */
function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'cairn-scale-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => process.exit(128 + constants.signals[signal]));
  }
  return folder;
}

function realMeasures(): ScaleMeasures {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const collections: Interval[] = [];
  new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) {
      if (duration >= COLLECTION_MS_MIN) collections.push({ startMs: startTime, endMs: startTime + duration });
    }
  }).observe({ entryTypes: ['gc'] });
  return {
    collections: () => collections,
    nowMs: () => performance.now(),
    cpuMs() {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1000;
    },
    usedBytes() {
      collect();
      const { heapUsed, external } = process.memoryUsage();
      return heapUsed + external;
    },
  };
}
