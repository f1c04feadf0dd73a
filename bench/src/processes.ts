/** CPU and memory of the servers, from /proc. */
import { readFileSync } from 'node:fs';

const CLOCK_TICKS_PER_SECOND = 100; // USER_HZ, fixed on Linux

export interface ProcessUsage {
  cpuSeconds: number;
  peakMemoryBytes: number;
  memoryBytes: number;
  /** Without pages of files, which the kernel takes back when it needs them. */
  ownMemoryBytes: number;
}

export function usageOf(pid: number): ProcessUsage {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return {
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_PER_SECOND,
    peakMemoryBytes: kib(status, 'VmHWM'),
    memoryBytes: kib(status, 'VmRSS'),
    ownMemoryBytes: kib(status, 'RssAnon'),
  };
}

function kib(status: string, key: string): number {
  const match = new RegExp(`^${key}:\\s+([0-9]+) kB`, 'm').exec(status);
  return match === null ? 0 : Number(match[1]) * 1024;
}
