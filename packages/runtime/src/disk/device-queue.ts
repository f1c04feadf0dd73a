/**
 * The operations of one device in libuv's thread pool. All disks of a process share the pool, so where there are several
 * each has a bound of its own: what hangs on one never takes the threads of another. Syncs and other operations wait apart and are begun in turn;
 * one place is kept for syncs. An operation begins and ends by plain calls: nothing is allocated for one that need not wait.
 */
import { assert, type DiskError } from '@cairnfs/base';
import { DEVICE_OPERATIONS_MAX, DEVICE_WAITING_MAX, POOL_THREADS_DEFAULT, STALLED_TICKS } from '../limits.ts';

/** `outside`: of a library that has a thread of the pool to itself. */
export type OperationKind = 'sync' | 'other' | 'outside';
/** Hands the operation to the system; it calls `end` with the slot, once. */
type Begin = (slot: number) => void;
type Reject = (error: unknown) => void;

interface Waiting {
  readonly begin: Begin;
  readonly reject: Reject;
}

const FREE = -1;

/** How the devices of a process share the pool. */
export class PoolShares {
  readonly #threads: number;
  #devices = 0;

  constructor(threads: number = poolThreads()) {
    this.#threads = threads;
  }

  /** One more device. */
  add(): void {
    this.#devices += 1;
  }

  /**
   * Operations of a device at a time. One of its threads is for a library's. A single device has no bound: there is none to be
   * kept from waiting, and threads that find the next operation in the pool's own queue save a wake-up for each.
   */
  get operationsMax(): number {
    if (this.#devices <= 1) return Number.POSITIVE_INFINITY;
    const share = Math.floor(this.#threads / this.#devices);
    return Math.min(DEVICE_OPERATIONS_MAX, Math.max(1, share - 1));
  }
}

export class DeviceQueue {
  readonly #shares: PoolShares;
  /** By slot: the tick in which its operation began. */
  readonly #began: number[] = [];
  readonly #rejects: (Reject | undefined)[] = [];
  readonly #freeSlots: number[] = [];
  readonly #kinds: OperationKind[] = [];
  readonly #syncs: Waiting[] = [];
  readonly #others: Waiting[] = [];
  /** Under way, of both kinds that count against the bound. */
  #syncCount = 0;
  #otherCount = 0;
  #tick = 0;
  #isStalled = false;
  #isSyncNext = true;
  #failure: DiskError | undefined;

  constructor(shares: PoolShares) {
    this.#shares = shares;
  }

  get failure(): DiskError | undefined {
    return this.#failure;
  }

  /** An operation has been under way for longer than those of a disk that is well. */
  get isStalled(): boolean {
    return this.#isStalled;
  }

  /** It was given up, and threads of the pool still wait for it. */
  get isHanging(): boolean {
    return this.#failure !== undefined && this.#freeSlots.length < this.#began.length;
  }

  /** Begins an operation now or in its turn. `reject` runs when the device is given up before it has ended. */
  begin(kind: OperationKind, begin: Begin, reject: Reject): void {
    if (this.#failure !== undefined) reject(this.#failure);
    else if (this.#hasPlace(kind)) this.#start(kind, begin, reject);
    else this.#wait(kind, { begin, reject });
  }

  /** The system is done with an operation. */
  end(slot: number): void {
    assert(this.#began[slot] !== FREE, () => `the operation in slot ${slot} has ended before`);
    this.#began[slot] = FREE;
    this.#rejects[slot] = undefined;
    this.#freeSlots.push(slot);
    const kind = this.#kinds[slot];
    if (kind === 'outside') return;
    if (kind === 'sync') this.#syncCount -= 1;
    else this.#otherCount -= 1;
    this.#startNext();
  }

  /** @returns how many ticks, with this one, the operation has seen that has been under way longest. */
  tick(): number {
    let oldest = this.#tick + 1;
    for (const began of this.#began) if (began !== FREE && began < oldest) oldest = began;
    this.#tick += 1;
    const seen = this.#tick - oldest;
    this.#isStalled = seen >= STALLED_TICKS;
    return seen;
  }

  giveUp(error: DiskError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    const rejects = [...this.#rejects, ...[...this.#syncs, ...this.#others].map(({ reject }) => reject)];
    this.#rejects.fill(undefined);
    this.#syncs.length = 0;
    this.#others.length = 0;
    for (const reject of rejects) reject?.(error);
  }

  #wait(kind: OperationKind, waiting: Waiting): void {
    const count = this.#syncs.length + this.#others.length;
    assert(count < DEVICE_WAITING_MAX, () => `${count} operations wait for one device: somebody asks without a bound`);
    (kind === 'sync' ? this.#syncs : this.#others).push(waiting);
  }

  #hasPlace(kind: OperationKind): boolean {
    if (kind === 'outside') return true;
    const max = this.#shares.operationsMax;
    if (this.#syncCount + this.#otherCount >= max) return false;
    return kind === 'sync' || this.#otherCount < Math.max(1, max - 1);
  }

  #start(kind: OperationKind, begin: Begin, reject: Reject): void {
    const slot = this.#freeSlots.pop() ?? this.#began.length;
    this.#began[slot] = this.#tick;
    this.#rejects[slot] = reject;
    this.#kinds[slot] = kind;
    if (kind === 'sync') this.#syncCount += 1;
    else if (kind === 'other') this.#otherCount += 1;
    try {
      begin(slot);
    } catch (error) {
      this.end(slot); // the system was never asked: its arguments are wrong
      reject(error);
    }
  }

  /** In turn, so that neither kind waits for more than one of the other at each step. */
  #startNext(): void {
    const mayBeOther = this.#others.length > 0 && this.#hasPlace('other');
    const mayBeSync = this.#syncs.length > 0 && this.#hasPlace('sync');
    if (!mayBeOther && !mayBeSync) return;
    const isSync = mayBeSync && (this.#isSyncNext || !mayBeOther);
    this.#isSyncNext = !isSync;
    const { begin, reject } = (isSync ? this.#syncs : this.#others).shift()!;
    this.#start(isSync ? 'sync' : 'other', begin, reject);
  }
}

/** As libuv reads it. */
function poolThreads(): number {
  const size = process.env.UV_THREADPOOL_SIZE;
  return size === undefined ? POOL_THREADS_DEFAULT : Math.max(1, Number.parseInt(size, 10) || 1);
}
