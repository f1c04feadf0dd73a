import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { CostMeter } from './cost-meter.ts';
import { formatReport } from './format-report.ts';
import { runScale } from './run-scale.ts';

/** Counters that stand for a real machine: the same in every run. */
const NO_MEASURES = { nowMs: () => 0, cpuMs: () => 0, usedBytes: () => 0, collections: () => [] };

test('scale: after servers are lost every chunk is back at three copies, and the counts agree', async () => {
  const options = { seed: 1, servers: 50, chunks: 5000, copyBytesPerSecond: 125e6, inventoryPartMax: 100 };
  const report = await runScale(options, { measures: NO_MEASURES });
  equal(report.chunks, 5000);
  equal(report.replicas, 15_000);
  const [one, two] = report.repairs;
  deepEqual([one!.incomplete, two!.incomplete], [0, 0]);
  // Placement spread them evenly: 300 a server.
  ok(one!.lostReplicas > 200 && one!.lostReplicas < 400, `${one!.lostReplicas} replicas lost`);
  ok(two!.lostReplicas > 400 && two!.lostReplicas < 800, `${two!.lostReplicas} replicas lost`);
  ok(one!.repairedMs > 11_000, 'a silent server counts as dead only after its lease');
  ok(two!.endangeredCount > 0 && two!.endangeredMs < two!.repairedMs, 'fewest copies come first');
  ok(report.readyVirtualMs < 5000, `ready after ${report.readyVirtualMs} ms`);
  ok(formatReport(report).includes('50 chunkservers, 5000 chunks, 15000 replicas'));
});

test('cost meter: counts the events of its host, and the store while time stands still', () => {
  let cpuMs = 0;
  let nowMs = 0;
  const meter = new CostMeter('master', { nowMs: () => nowMs, cpuMs: () => cpuMs }, { blockedMs: 50 });
  const event = (owner: string | undefined, tookMs: number) => {
    meter.began(owner);
    cpuMs += tookMs;
    nowMs += 2 * tookMs;
    meter.ended();
  };
  event('master', 10);
  event('cs1', 1000);
  event(undefined, 1000);
  event('master', 60);
  meter.stood(true);
  cpuMs += 7;
  meter.stood(false);
  const expected = {
    cpuMs: 70,
    storeCpuMs: 7,
    eventCount: 2,
    longestCpuMs: 60,
    longestMs: 120,
    blocked: [{ startMs: 4020, endMs: 4140 }],
  };
  deepEqual(meter.take(), expected);
  equal(meter.take().eventCount, 0);
});

test('scale: of an event that blocked the loop it is said how much the garbage collector took', async () => {
  let nowMs = 0;
  let cpuMs = 0;
  let readings = 0;
  const slow = {
    nowMs: () => (nowMs += 60),
    // Slower with every reading: the meter learns their cost at the beginning and leaves it out.
    cpuMs: () => (cpuMs += ++readings),
    usedBytes: () => 0,
  };
  const collections = () => [{ startMs: 0, endMs: 1e9 }];
  const options = { seed: 1, servers: 8, chunks: 100, copyBytesPerSecond: 125e6, inventoryPartMax: 100 };
  const report = await runScale(options, { measures: { ...slow, collections } });
  ok(report.blocks.length > 0);
  for (const { tookMs, collectorMs } of report.blocks) equal(collectorMs, tookMs);
  const [{ phase, tookMs }] = report.blocks as [(typeof report.blocks)[0]];
  ok(formatReport(report).includes(`${phase}: ${tookMs} ms, of which garbage collection ${tookMs} ms`));
});
