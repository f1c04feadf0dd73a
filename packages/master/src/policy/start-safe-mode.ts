/**
 * Safe mode after a start: until the chunkservers known before have shown what they hold, nothing is declared lost or
 * garbage, nothing is repaired and no upload is given up. Once left it does not come back in this run.
 */
import type { ServerEntry, ServerTable } from '../cluster/server-table.ts';
import type { MasterContext, SafeMode } from '../context.ts';
import { MAJORITY, SAFE_MODE_DEAD_MS_MAX, SAFE_MODE_LOOK_MS, SAFE_MODE_PATIENCE } from '../limits.ts';
import { memberRange } from '../state/keys.ts';

export class StartSafeMode implements SafeMode {
  readonly #context: MasterContext;
  readonly #servers: ServerTable;
  /** The servers that the log knew at the start, with their addresses then. */
  readonly #before: ReadonlyMap<number, string>;
  #isOver = false;
  /** Monotonic; when the servers were last looked at, with at least one missing. */
  #lookedAtMs = Number.NEGATIVE_INFINITY;

  constructor(context: MasterContext, servers: ServerTable) {
    this.#context = context;
    this.#servers = servers;
    this.#before = new Map([...servers.all].map(({ id, address }) => [id, address]));
  }

  get isActive(): boolean {
    if (this.#isOver) return false;
    const nowMs = this.#context.seams.clock.nowMs();
    if (nowMs - this.#lookedAtMs < SAFE_MODE_LOOK_MS) return true;
    this.#lookedAtMs = nowMs;
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

  #counts(): { known: number; complete: number } {
    const isAwaited = this.#isLate ? this.#lateAwaited() : () => true;
    let known = 0;
    let complete = 0;
    for (const server of this.#servers.all) {
      // A newcomer shows nothing that was there before, unless nobody was.
      if (this.#before.size > 0 && !this.#before.has(server.id)) continue;
      if (server.inventoryComplete) complete += 1;
      if (server.inventoryComplete || isAwaited(server)) known += 1;
    }
    return { known, complete };
  }

  /**
   * Who is not waited for for ever: a server that is a member of no chunk any more, one that has long been dead, and one at whose
   * address a later one was. A machine whose disk was lost several times would otherwise make a majority of those it once was.
   * Where those known before are by now tells nothing: after a loss of power, one may be dealt the address of another that comes
   * later.
   */
  #lateAwaited(): (server: ServerEntry) => boolean {
    const transaction = this.#context.decisions.read();
    const deadAfterMs = this.#context.seams.clock.wallMs() - SAFE_MODE_DEAD_MS_MAX;
    const addressOf = ({ id, address }: ServerEntry) => this.#before.get(id) ?? address;
    const latestAt = new Map<string, number>();
    for (const server of this.#servers.all) {
      const address = addressOf(server);
      latestAt.set(address, Math.max(server.id, latestAt.get(address) ?? 0));
    }
    return (server) => {
      const { id, deadSinceMs } = server;
      const isLongDead = deadSinceMs > 0 && deadSinceMs < deadAfterMs;
      if (isLongDead || latestAt.get(addressOf(server)) !== id) return false;
      return transaction.range(memberRange(id), 1).length > 0;
    };
  }
}
