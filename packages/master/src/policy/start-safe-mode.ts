/**
 * Safe mode after a start: until the chunkservers known before have shown what they hold, nothing is declared lost or
 * garbage, nothing is repaired and no upload is given up. Once left it does not come back in this run.
 */
import type { ServerEntry, ServerTable } from '../cluster/server-table.ts';
import type { MasterContext, SafeMode } from '../context.ts';
import { MAJORITY, SAFE_MODE_PATIENCE } from '../limits.ts';
import { memberRange } from '../state/keys.ts';

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
    const { safeModeRatio } = this.#context.config;
    const { known, complete } = this.#counts();
    const isAll = known > 0 && complete === known;
    // Who has not come by the late time is gone: what it held is copied again. Where most miss, somebody has to look.
    const ratio = this.#isLate ? Math.min(safeModeRatio, MAJORITY) : safeModeRatio;
    const isEnough = this.#elapsedMs >= this.#waitMs && complete > 0 && complete >= known * ratio;
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

  get #elapsedMs(): number {
    return this.#context.seams.clock.nowMs() - this.#context.startedAtMs;
  }

  /** Before a lease has passed, a server that is silent may still be serving. */
  get #waitMs(): number {
    const { safeModeMs, serverLeaseMs, leaseMarginMs } = this.#context.config;
    return Math.max(safeModeMs, serverLeaseMs + leaseMarginMs);
  }

  get #isLate(): boolean {
    return this.#elapsedMs >= SAFE_MODE_PATIENCE * this.#waitMs;
  }

  /**
   * Who is not waited for for ever: a server that is a member of no chunk any more, and one in whose place another has
   * registered. A machine whose disk was lost several times would otherwise make a majority of those it once was.
   */
  #counts(): { known: number; complete: number } {
    const transaction = this.#context.decisions.read();
    const isLate = this.#isLate;
    const isAwaited = ({ id, isReplaced }: ServerEntry) =>
      !isLate || (!isReplaced && transaction.range(memberRange(id), 1).length > 0);
    let known = 0;
    let complete = 0;
    for (const server of this.#servers.all) {
      if (server.inventoryComplete) complete += 1;
      if (server.inventoryComplete || isAwaited(server)) known += 1;
    }
    return { known, complete };
  }
}
