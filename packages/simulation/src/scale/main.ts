/** `npm run simulate -- --profile scale`: the real machine's counters and a real state store under the simulated master. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PerformanceObserver, performance } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { openLmdbStateStore } from '@cairnfs/server';
import type { Interval } from './cost-meter.ts';
import { formatReport } from './format-report.ts';
import { runScale, type ScaleMeasures } from './run-scale.ts';

/** Smaller runs, for profiling. */
const SERVERS = Number(process.env.SCALE_SERVERS ?? 1000);
const CHUNKS = Number(process.env.SCALE_CHUNKS ?? 1_000_000);
/** One gigabit a second. */
const COPY_BYTES_PER_SECOND = 125e6;
const INVENTORY_PART_MAX = 10_000;
/** Shorter ones do not block anything, and there are tens of thousands. */
const COLLECTION_MS_MIN = 5;

/** @returns the exit code: 0 when everything was repaired. */
export async function runScaleProfile(seed: number): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'cairn-scale-'));
  try {
    const options = {
      seed,
      servers: SERVERS,
      chunks: CHUNKS,
      copyBytesPerSecond: COPY_BYTES_PER_SECOND,
      inventoryPartMax: INVENTORY_PART_MAX,
      openStateStore: (directory: string) => openLmdbStateStore(join(folder, directory)),
    };
    const report = await runScale(options, { measures: realMeasures(), log: (line) => console.error(line) });
    console.log(formatReport(report));
    return report.repairs.every(({ incomplete }) => incomplete === 0) ? 0 : 1;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
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
