import { readFileSync } from 'node:fs';
import { cpus, freemem, totalmem } from 'node:os';
import type { Machine } from '@cairnfs/base';

/** Usage of this machine as the operating system counts it. */
export class RuntimeMachine implements Machine {
  #last = cpuTimes();

  cpuUsedRatio(): number {
    const now = cpuTimes();
    const totalMs = now.totalMs - this.#last.totalMs;
    const idleMs = now.idleMs - this.#last.idleMs;
    this.#last = now;
    // Ticks are 10 ms: asked twice within one, there is nothing to divide by.
    return totalMs <= 0 ? 0 : Math.min(1, Math.max(0, 1 - idleMs / totalMs));
  }

  memory(): { totalBytes: number; usedBytes: number } {
    const totalBytes = totalmem();
    return { totalBytes, usedBytes: totalBytes - (availableBytes() ?? freemem()) };
  }

  processMemoryBytes(): number {
    return process.memoryUsage.rss();
  }
}

function cpuTimes(): { totalMs: number; idleMs: number } {
  let totalMs = 0;
  let idleMs = 0;
  for (const { times } of cpus()) {
    totalMs += times.user + times.nice + times.sys + times.irq + times.idle;
    idleMs += times.idle;
  }
  return { totalMs, idleMs };
}

/** What Linux could give to programs; "free" would count the page cache as used. Undefined on other systems. */
function availableBytes(): number | undefined {
  let text: string;
  try {
    text = readFileSync('/proc/meminfo', 'utf8');
  } catch {
    return undefined; // not Linux
  }
  const match = /^MemAvailable:\s+(\d+) kB$/m.exec(text);
  return match === null ? undefined : Number(match[1]) * 1024;
}
