/**
 * Chunk leases as the master counts them (GFS §3.1): in memory only. That a lease may be out is logged in the chunk
 * itself (`open`); a restarted master adopts the leases that servers renew, and waits a server lease before it takes
 * anyone's silence for an end.
 *
 * | state | on | becomes |
 * | --- | --- | --- |
 * | free | grant | held |
 * | held | renewal by the primary | held, for longer |
 * | held | revocation begins | revoking: no grant, no renewal |
 * | held | release, or time runs out | free |
 * | revoking | answer of the primary, or a confirmed view without it | free |
 */
import type { Clock } from '@cairnfs/base';

export type LeaseState =
  | { readonly kind: 'free' }
  | { readonly kind: 'held'; readonly primary: number; readonly version: number; readonly expiresAtMs: number }
  | { readonly kind: 'revoking' };

const FREE: LeaseState = { kind: 'free' };
const REVOKING: LeaseState = { kind: 'revoking' };

export class LeaseTable {
  readonly #clock: Clock;
  readonly #durationMs: number;
  readonly #leases = new Map<string, LeaseState>();

  /** @param durationMs what the primary is told, and the margin for drift on top. */
  constructor(clock: Clock, durationMs: number) {
    this.#clock = clock;
    this.#durationMs = durationMs;
  }

  state(handle: string): LeaseState {
    const lease = this.#leases.get(handle);
    if (lease === undefined) return FREE;
    if (lease.kind !== 'held' || this.#clock.nowMs() < lease.expiresAtMs) return lease;
    this.#leases.delete(handle);
    return FREE;
  }

  /** Grants, renews or adopts. The caller has checked that the primary is the view's. Answers whether it holds now. */
  grant(handle: string, primary: number, version: number): boolean {
    const lease = this.state(handle);
    if (lease.kind === 'revoking') return false;
    if (lease.kind === 'held' && (lease.primary !== primary || lease.version > version)) return false;
    this.#leases.set(handle, { kind: 'held', primary, version, expiresAtMs: this.#clock.nowMs() + this.#durationMs });
    return true;
  }

  revoke(handle: string): void {
    this.#leases.set(handle, REVOKING);
  }

  free(handle: string): void {
    this.#leases.delete(handle);
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
