/** What the master should learn with the next heartbeat: the newest report of each chunk, oldest change first. */
import type { ReplicaReport } from '@cairnfs/protocol';
import { CHANGES_MAX, CHANGES_PER_HEARTBEAT_MAX } from '../limits.ts';

export class Changes {
  #reports = new Map<string, ReplicaReport>();
  #hasOverflowed = false;

  note(report: ReplicaReport): void {
    this.#reports.delete(report.handle);
    if (this.#reports.size >= CHANGES_MAX) {
      this.#reports.clear();
      this.#hasOverflowed = true;
    }
    this.#reports.set(report.handle, report);
  }

  /** The oldest; they stay until `told`. */
  next(): ReplicaReport[] {
    const reports: ReplicaReport[] = [];
    for (const report of this.#reports.values()) {
      if (reports.length === CHANGES_PER_HEARTBEAT_MAX) break;
      reports.push(report);
    }
    return reports;
  }

  /** The master has these; one that changed again meanwhile stays. */
  told(reports: readonly ReplicaReport[]): void {
    for (const report of reports) {
      if (this.#reports.get(report.handle) === report) this.#reports.delete(report.handle);
    }
  }

  /** Whether changes were lost, so that only a full inventory tells; resets it. */
  takeOverflow(): boolean {
    const hasOverflowed = this.#hasOverflowed;
    this.#hasOverflowed = false;
    return hasOverflowed;
  }
}
