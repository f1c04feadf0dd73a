/**
 * Safe mode after a start: until the chunkservers known before have shown what they hold, nothing is declared lost or
 * garbage, nothing is repaired and no upload is given up. Once left it does not come back in this run.
 */
import type { ServerTable } from '../cluster/server-table.ts';
import type { MasterContext, SafeMode } from '../context.ts';

export class StartSafeMode implements SafeMode {
  readonly #context: MasterContext;
  readonly #servers: ServerTable;
  #isOver = false;

  constructor(context: MasterContext, servers: ServerTable) {
    this.#context = context;
    this.#servers = servers;
  }

  get isActive(): boolean {
    if (this.#isOver) return false;
    const { known, complete } = this.#counts();
    const { safeModeMs, safeModeRatio, serverLeaseMs, leaseMarginMs } = this.#context.config;
    const elapsedMs = this.#context.seams.clock.nowMs() - this.#context.startedAtMs;
    const isAll = known > 0 && complete === known;
    // Before a lease has passed, a server that is silent may still be serving.
    const waitMs = Math.max(safeModeMs, serverLeaseMs + leaseMarginMs);
    const isEnough = elapsedMs >= waitMs && complete > 0 && complete >= known * safeModeRatio;
    if (!isAll && !isEnough) return true;
    this.#isOver = true;
    this.#context.seams.log.info('safe mode is over', { known, complete });
    return false;
  }

  get reason(): string {
    if (!this.isActive) return '';
    const { known, complete } = this.#counts();
    if (known === 0) return 'no chunkserver has registered yet';
    return `${complete} of ${known} known chunkservers have reported what they hold`;
  }

  #counts(): { known: number; complete: number } {
    let complete = 0;
    for (const server of this.#servers.all) if (server.inventoryComplete) complete += 1;
    return { known: this.#servers.count, complete };
  }
}
