/**
 * Safe mode after a start: until the chunkservers known before have shown what they hold, nothing is declared lost or
 * garbage, nothing is repaired and no upload is given up. Once left it does not come back in this run.
 */
import type { ServerTable } from '../cluster/server-table.ts';
import type { MasterContext, SafeMode } from '../context.ts';
import { MAJORITY, SAFE_MODE_DEAD_MS_MAX, SAFE_MODE_LOOK_MS, SAFE_MODE_PATIENCE } from '../limits.ts';
import { memberRange } from '../state/keys.ts';

export class StartSafeMode implements SafeMode {
  readonly #context: MasterContext;
  readonly #servers: ServerTable;
  /** The servers that the log knew at the start, as they were then. */
  readonly #before: ReadonlyMap<number, Known>;
  #isOver = false;
  /** Monotonic; when the servers were last looked at, with at least one missing. */
  #lookedAtMs = Number.NEGATIVE_INFINITY;

  constructor(context: MasterContext, servers: ServerTable) {
    this.#context = context;
    this.#servers = servers;
    this.#before = new Map(
      [...servers.all].map(({ id, address, deadSinceMs }) => {
        const deadMs = deadSinceMs === 0 ? 0 : Math.max(1, context.startedWallMs - deadSinceMs);
        return [id, { id, address, deadMs }];
      }),
    );
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
    const isNobodyAwaited = known === 0 && this.#isAnyComplete();
    if (!isAll && !isEnough && !isNobodyAwaited) return true;
    this.#isOver = true;
    this.#context.seams.log.info('safe mode is over', { known, complete });
    return false;
  }

  get reason(): string {
    if (!this.isActive) return '';
    const { known, complete } = this.#counts();
    if (known === 0) return 'no chunkserver has reported yet what it holds';
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
      const before = this.#before.get(server.id);
      // A newcomer shows nothing that was there before, unless nobody was.
      if (before === undefined && this.#before.size > 0) continue;
      if (server.inventoryComplete) complete += 1;
      if (server.inventoryComplete || before === undefined || isAwaited(before)) known += 1;
    }
    return { known, complete };
  }

  #isAnyComplete(): boolean {
    for (const { inventoryComplete } of this.#servers.all) if (inventoryComplete) return true;
    return false;
  }

  /**
   * Who is not waited for for ever: a server that is a member of no chunk any more, one that has long been dead, and one at whose
   * address there is another. A machine whose disk was lost several times would otherwise make a majority of those it once was.
   * Of those known before, the log knows who had the address last: who is where by now tells nothing, because after a loss of power
   * one may be dealt the address of another that comes later. A newcomer is what the machine has become.
   */
  #lateAwaited(): (server: Known) => boolean {
    const transaction = this.#context.decisions.read();
    const lastAt = new Map<string, number>();
    const isLater = (one: Known, other: Known) =>
      (one.deadMs === 0) === (other.deadMs === 0) ? one.id > other.id : one.deadMs === 0;
    for (const server of this.#before.values()) {
      const other = this.#before.get(lastAt.get(server.address) ?? 0);
      if (other === undefined || isLater(server, other)) lastAt.set(server.address, server.id);
    }
    for (const { id, address } of this.#servers.all) if (!this.#before.has(id)) lastAt.set(address, id);
    return ({ id, address, deadMs }) => {
      const server = this.#servers.get(id)!;
      const isBack = server.session > 0;
      const isLongDead = (isBack ? 0 : deadMs) + this.#servers.silentMs(server) > SAFE_MODE_DEAD_MS_MAX;
      if (isLongDead || lastAt.get(address) !== id) return false;
      return transaction.range(memberRange(id), 1).length > 0;
    };
  }
}

/** A server as the log had it at the start. */
interface Known {
  readonly id: number;
  readonly address: string;
  /** How long it had been dead then, by the calendar; 0: it was not. */
  readonly deadMs: number;
}
