/**
 * Chunk leases as the master counts them (GFS §3.1): in memory only. That a lease may be out is logged in the chunk
 * itself (`open`); a restarted master adopts the leases that servers renew, and waits a server lease before it takes
 * anyone's silence for an end.
 *
 * | state | on | becomes |
 * | --- | --- | --- |
 * | free | grant; renewal of a predecessor's grant | held |
 * | held | renewal of this grant | held, for longer |
 * | held | another grant to the primary | held, under its number |
 * | held | revocation begins | revoking: no grant, no renewal |
 * | held | release of this grant, or time runs out | free |
 * | revoking | answer of the primary, or a confirmed view without it | free |
 *
 * Every grant has a number, higher than that of any before, also of earlier masters. A message about a lease names its grant:
 * one that was delayed says nothing of a lease granted since.
 */
import type { Clock } from '@cairnfs/base';

export type LeaseState =
  | { readonly kind: 'free' }
  | {
      readonly kind: 'held';
      readonly primary: number;
      readonly version: number;
      readonly grant: number;
      readonly expiresAtMs: number;
    }
  | { readonly kind: 'revoking' };

const FREE: LeaseState = { kind: 'free' };
const REVOKING: LeaseState = { kind: 'revoking' };
/** More than one run of a master can give: a thousand a second for fifty days. */
const GRANTS_PER_INCARNATION = 2 ** 32;

export class LeaseTable {
  readonly #clock: Clock;
  readonly #durationMs: number;
  /** Grants of earlier masters lie below. */
  readonly #firstGrant: number;
  #nextGrant: number;
  /** Those held in the order in which they run out. */
  readonly #leases = new Map<string, LeaseState>();

  /**
   * @param durationMs what the primary is told, and the margin for drift on top.
   * @param incarnation higher than that of any master before.
   */
  constructor(clock: Clock, { durationMs, incarnation }: { durationMs: number; incarnation: number }) {
    this.#clock = clock;
    this.#durationMs = durationMs;
    this.#firstGrant = incarnation * GRANTS_PER_INCARNATION;
    this.#nextGrant = this.#firstGrant;
  }

  state(handle: string): LeaseState {
    const lease = this.#leases.get(handle);
    if (lease === undefined) return FREE;
    if (lease.kind !== 'held' || this.#clock.nowMs() < lease.expiresAtMs) return lease;
    this.#leases.delete(handle);
    return FREE;
  }

  /** The number of a new grant; undefined when it cannot be had. The caller has checked that the primary is the view's. */
  grant(handle: string, primary: number, version: number): number | undefined {
    const lease = this.state(handle);
    if (lease.kind === 'revoking') return undefined;
    if (lease.kind === 'held' && (lease.primary !== primary || lease.version > version)) return undefined;
    const grant = this.#nextGrant;
    this.#nextGrant += 1;
    this.#forgetRunOut();
    this.#hold(handle, { primary, version, grant });
    return grant;
  }

  /** Renews, or adopts what an earlier master granted. Answers whether it holds now. */
  renew(handle: string, primary: number, version: number, grant: number): boolean {
    const lease = this.state(handle);
    const isHeld = lease.kind === 'held' && lease.primary === primary && lease.grant === grant;
    const isAdopted = lease.kind === 'free' && grant > 0 && grant < this.#firstGrant;
    if (isHeld || isAdopted) this.#hold(handle, { primary, version, grant });
    return isHeld || isAdopted;
  }

  /** Whether it is this grant that counts now. */
  isCurrent(handle: string, primary: number, grant: number): boolean {
    const lease = this.state(handle);
    return lease.kind === 'held' && lease.primary === primary && lease.grant === grant;
  }

  revoke(handle: string): void {
    this.#leases.set(handle, REVOKING);
  }

  free(handle: string): void {
    this.#leases.delete(handle);
  }

  /** Kept in memory. */
  get keptCount(): number {
    return this.#leases.size;
  }

  /** Leases that may be out now. */
  get heldCount(): number {
    const nowMs = this.#clock.nowMs();
    let count = 0;
    for (const lease of this.#leases.values()) if (lease.kind === 'held' && nowMs < lease.expiresAtMs) count += 1;
    return count;
  }

  /** Nobody may ask for them again: their chunks may be gone. */
  #forgetRunOut(): void {
    const nowMs = this.#clock.nowMs();
    for (const [handle, lease] of this.#leases) {
      if (lease.kind !== 'held') continue; // under way, and few
      if (nowMs < lease.expiresAtMs) return;
      this.#leases.delete(handle);
    }
  }

  #hold(handle: string, held: { primary: number; version: number; grant: number }): void {
    this.#leases.delete(handle);
    this.#leases.set(handle, { kind: 'held', ...held, expiresAtMs: this.#clock.nowMs() + this.#durationMs });
  }

  /** Chunks led by each server, for choosing primaries. */
  countByPrimary(): Map<number, number> {
    const counts = new Map<number, number>();
    for (const lease of this.#leases.values()) {
      if (lease.kind === 'held') counts.set(lease.primary, (counts.get(lease.primary) ?? 0) + 1);
    }
    return counts;
  }
}
