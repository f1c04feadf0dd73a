/** `npm run simulate -- --profile scale`: the real machine's counters and a real state store under the simulated master. */
import { mkdtempSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { PerformanceObserver, performance } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { openLmdbStateStore } from '@cairnfs/server';
import type { Interval } from './cost-meter.ts';
import { formatReport } from './format-report.ts';
import { runScale, type ScaleMeasures } from './run-scale.ts';
import type { ScaleSizes } from './sizes.ts';

/** One gigabit a second. */
const COPY_BYTES_PER_SECOND = 125e6;
const INVENTORY_PART_MAX = 10_000;
/** Shorter ones do not block anything, and there are tens of thousands. */
const COLLECTION_MS_MIN = 5;

/** @returns the exit code: 0 when everything was repaired, 1 when not. */
export async function runScaleProfile({ seed, servers, chunks }: ScaleSizes & { seed: number }): Promise<number> {
  const folder = temporaryFolder();
  const options = {
    servers,
    chunks,
    seed,
    copyBytesPerSecond: COPY_BYTES_PER_SECOND,
    inventoryPartMax: INVENTORY_PART_MAX,
    openStateStore: (directory: string) => openLmdbStateStore(join(folder, directory)),
  };
  const report = await runScale(options, { measures: realMeasures(), log: (line) => console.error(line) });
  console.log(formatReport(report));
  return report.repairs.every(({ incomplete }) => incomplete === 0) ? 0 : 1;
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
