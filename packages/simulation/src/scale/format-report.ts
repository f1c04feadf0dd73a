/** The figures of a run at scale, for people. */
import type { Cost } from './cost-meter.ts';
import { BLOCKED_MS, type Phase, type ScaleReport } from './run-scale.ts';

const MB = 1e6;

export function formatReport(report: ScaleReport): string {
  const { servers, chunks, replicas, phases, masterBytes, readyVirtualMs, readyCost, repairs, blocks } = report;
  const lines = [
    `${servers} chunkservers, ${chunks} chunks, ${replicas} replicas`,
    '',
    'phase                       virtual s   master s    ms of CPU a virtual s   longest ms (CPU / clock)   blocked',
    ...phases.map(formatPhase),
    '',
    `memory      ${(masterBytes / MB).toFixed(0)} MB of heap and buffers in use by the master, beside its state store`,
    `restart     ready after ${seconds(readyVirtualMs + totalMs(readyCost))} s: ${seconds(readyVirtualMs)} s of waiting, ${seconds(totalMs(readyCost))} s of processor time`,
  ];
  for (const [index, { lostReplicas, repairedMs, endangeredMs, endangeredCount, incomplete }] of repairs.entries()) {
    const whole = incomplete === 0 ? `whole again after ${seconds(repairedMs)} s` : `${incomplete} chunks NOT repaired`;
    const twice =
      endangeredCount === 0 ? '' : `; ${endangeredCount} with one copy left had two after ${seconds(endangeredMs)} s`;
    lines.push(`${index + 1} lost      ${lostReplicas} replicas, ${whole} of virtual time${twice}`);
  }
  lines.push(`event loop  blocked for more than ${BLOCKED_MS} ms ${blocks.length} times`);
  for (const { phase, tookMs, collectorMs } of blocks) {
    lines.push(
      `            ${phase}: ${tookMs.toFixed(0)} ms, of which garbage collection ${collectorMs.toFixed(0)} ms`,
    );
  }
  return lines.join('\n');
}

function formatPhase({ name, virtualMs, cost }: Phase): string {
  const rate = (totalMs(cost) / virtualMs) * 1000;
  const longest = `${cost.longestCpuMs.toFixed(1)} / ${cost.longestMs.toFixed(1)}`;
  return [
    name.padEnd(28),
    seconds(virtualMs).padStart(8),
    seconds(totalMs(cost)).padStart(11),
    rate.toFixed(1).padStart(20),
    longest.padStart(28),
    String(cost.blocked.length).padStart(9),
  ].join(' ');
}

/** The store's threads count as the master's. */
const totalMs = ({ cpuMs, storeCpuMs }: Cost): number => cpuMs + storeCpuMs;
const seconds = (ms: number): string => (ms / 1000).toFixed(1);
