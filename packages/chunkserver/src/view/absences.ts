/**
 * Versions that were asked to be promised here where no replica was there to promise with, or where it is gone since. The master
 * then counts on it that the server has nothing to serve older versions with (docs/spec/views.md, "Why it is safe"), so a view of
 * one of them, sent before and late on its way, must not make a replica any more. Nobody sends such a view afterwards: its primary has promised too, or
 * has lost its lease. And what was on its way to a process does not reach the next one, for what waits for a connection is
 * withdrawn when its primary promises, and given up when that one's lease ends: so memory is enough.
 */
import { type Clock, FsError } from '@cairnfs/base';
import { ABSENCE_KEPT_MS, ABSENCES_MAX } from './limits.ts';

const FIRST_VERSION = 1;
/** Of what is remembered, at most so much is of replicas that were set aside. */
const LEAVING_SHARE = 0.75;

interface Absence {
  readonly version: number;
  readonly atMs: number;
  /** A replica was made since, which may have become durable. */
  readonly isMade: boolean;
}

export class Absences {
  readonly #clock: Clock;
  readonly #max: number;
  /** Asked for least recently first. */
  readonly #absences = new Map<string, Absence>();
  /** What replicas had promised that went with their disks; of `max` of them. */
  readonly #lost = new Map<string, number>();
  /** There were more: any chunk may have been one of them. */
  #hasLostMore = false;

  constructor(clock: Clock, max: number = ABSENCES_MAX) {
    this.#clock = clock;
    this.#max = max;
  }

  /**
   * No older view of the chunk makes a replica from now on.
   *
   * @throws FsError OVERLOADED  too many to remember: the master must not be told that nothing is here.
   */
  note(handle: string, version: number): void {
    this.#remember(handle, version, this.#max);
  }

  #remember(handle: string, version: number, max: number): void {
    const atMs = this.#clock.nowMs();
    const known = this.#absences.get(handle);
    if (known === undefined) this.#makeRoom(handle, atMs, max);
    else this.#absences.delete(handle);
    const isNew = known === undefined || version > known.version;
    this.#absences.set(handle, isNew ? { version, atMs, isMade: false } : { ...known, atMs });
  }

  /**
   * A replica is about to be set aside: what its promise refuses is refused afterwards too.
   *
   * @throws FsError OVERLOADED  too many to remember: it has to stay.
   */
  leaves(handle: string, promisedVersion: number): void {
    if (promisedVersion <= FIRST_VERSION) return; // refuses nothing
    // What the master asks has to find room still: it holds back the lease of a server that does not answer.
    this.#remember(handle, promisedVersion, Math.floor(LEAVING_SHARE * this.#max));
    this.made(handle);
  }

  /**
   * A replica went with its disk and may return with it. As many are remembered as replicas are in memory, which are all that
   * promised anything lately: what asks for a version that others promised comes no more.
   */
  lost(handle: string, promisedVersion: number): void {
    const known = this.#lost.get(handle);
    if (known === undefined && this.#lost.size >= this.#max) this.#hasLostMore = true;
    else this.#lost.set(handle, Math.max(promisedVersion, known ?? 0));
  }

  /** The replica is about to be made here. */
  made(handle: string): void {
    const known = this.#absences.get(handle);
    if (known !== undefined) this.#absences.set(handle, { ...known, isMade: true });
  }

  /**
   * This very version was asked to be promised, no replica was here to be seen, and none was made since. Where one had promised
   * it before it went with its disk, that it was asked for once more, late, says nothing.
   */
  wasAsked(handle: string, version: number): boolean {
    if (this.#hasLostMore) return false;
    const known = this.#absences.get(handle);
    return known?.version === version && !known.isMade && (this.#lost.get(handle) ?? 0) < version;
  }

  /** @throws FsError STALE_VERSION  a later version was asked to be promised, or promised by a replica that is gone. */
  check(handle: string, version: number): void {
    const promisedVersion = Math.max(this.#absences.get(handle)?.version ?? 0, this.#lost.get(handle) ?? 0);
    if (version >= promisedVersion) return;
    throw new FsError(
      'STALE_VERSION',
      `chunk ${handle}: no replica is made here for version ${version}, version ${promisedVersion} was prepared since; ` +
        'look the chunk up again',
      { details: { version: 0, promisedVersion } },
    );
  }

  #makeRoom(handle: string, nowMs: number, max: number): void {
    if (this.#absences.size < max) return;
    for (const [oldest, { atMs }] of this.#absences) {
      if (nowMs - atMs < ABSENCE_KEPT_MS) break;
      this.#absences.delete(oldest);
      return;
    }
    throw new FsError(
      'OVERLOADED',
      `chunk ${handle}: this server has no replica, and remembers that of ${max} chunks already, the most it does; ` +
        `try again within ${ABSENCE_KEPT_MS / 1000} s`,
    );
  }
}
