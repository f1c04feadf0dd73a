/** What the master should learn with the next heartbeat: the newest report of each chunk, oldest change first. */
import type { ReplicaReport } from '@cairnfs/protocol';
import type { ChunkserverBounds } from '../bounds.ts';

export class Changes {
  readonly #bounds: Pick<ChunkserverBounds, 'changesMax' | 'changesPerHeartbeatMax'>;
  #reports = new Map<string, ReplicaReport>();
  #hasOverflowed = false;

  constructor(bounds: Pick<ChunkserverBounds, 'changesMax' | 'changesPerHeartbeatMax'>) {
    this.#bounds = bounds;
  }

  note(report: ReplicaReport): void {
    this.#reports.delete(report.handle);
    if (this.#reports.size >= this.#bounds.changesMax) {
      this.#reports.clear();
      this.#hasOverflowed = true;
    }
    this.#reports.set(report.handle, report);
  }

  /** The oldest; they stay until `told`. */
  next(): ReplicaReport[] {
    const reports: ReplicaReport[] = [];
    for (const report of this.#reports.values()) {
      if (reports.length === this.#bounds.changesPerHeartbeatMax) break;
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
