import type { Machine } from '@cairnfs/base';

/** Usage as a test sets it. */
export class SimMachine implements Machine {
  cpuRatio = 0.1;
  totalBytes = 8 * 1024 ** 3;
  usedBytes = 1024 ** 3;
  processBytes = 128 * 1024 ** 2;

  cpuUsedRatio(): number {
    return this.cpuRatio;
  }

  memory(): { totalBytes: number; usedBytes: number } {
    return { totalBytes: this.totalBytes, usedBytes: this.usedBytes };
  }

  processMemoryBytes(): number {
    return this.processBytes;
  }
}
