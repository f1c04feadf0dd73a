/**
 * One end of a simulated connection. Its bytes pass three places: queued (by `write`), on the wire (taken by the
 * kernel, at most a window of them), and arrived (with the peer's kernel, until the peer's receiver takes them).
 */
import { assert, type Connection, FsError, type Receiver } from '@cairnfs/base';
import type { SimProcess } from '../process.ts';
import { SEGMENT_BYTES_MAX, type Segment } from './segment-pool.ts';
import type { SimNetwork } from './sim-network.ts';

/** Bytes under way or not yet taken by the peer: the socket buffers of both kernels. */
const WINDOW_BYTES = 256 * 1024;

type WireItem = { kind: 'data'; segment: Segment } | { kind: 'end' } | { kind: 'reset' };
type Queued = { bytes: Uint8Array; sent: (() => void) | undefined };

export class SimConnection implements Connection {
  readonly process: SimProcess;
  readonly peer: string;
  /** Both ends of a connection have the same; the next connection has a higher one. */
  readonly number: number;
  /** For the listener that accepted it. */
  onEnd: (() => void) | undefined;
  readonly #network: SimNetwork;
  #other: SimConnection | undefined;
  #receiver: Receiver | undefined;
  #isPaused = false;
  #state: 'open' | 'closing' | 'closed' = 'open';
  #closeError: Error | undefined;

  #queue: Queued[] = [];
  #queuedBytes = 0;
  #isFlushScheduled = false;
  /** Sent by this end and not yet taken by the other end's receiver. */
  #unackedBytes = 0;

  /** On the way to this end, in order. Arrivals are counted, not tied to items, so that nothing overtakes. */
  #wire: WireItem[] = [];
  #lastArrivalMs = 0;
  #waitingCount = 0;
  #arrived: Segment[] = [];
  /** Of the first of them, already taken. */
  #takenBytes = 0;
  #hasEnded = false;
  #isDelivering = false;

  constructor(network: SimNetwork, process: SimProcess, { peer, number }: { peer: string; number: number }) {
    this.#network = network;
    this.process = process;
    this.peer = peer;
    this.number = number;
  }

  join(other: SimConnection): void {
    this.#other = other;
    other.#other = this;
  }

  get hostName(): string {
    return this.process.hostName;
  }

  get peerHostName(): string {
    return this.#other!.hostName;
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  write(buffers: readonly Uint8Array[], sent?: () => void): void {
    if (!this.process.alive) return;
    if (this.#state !== 'open') {
      if (sent !== undefined) this.process.schedule(0, sent);
      return;
    }
    this.#network.tap?.wrote(this, buffers);
    this.process.passes('send');
    let last: Queued | undefined;
    for (const bytes of buffers) {
      if (bytes.length === 0) continue;
      last = { bytes, sent: undefined };
      this.#queue.push(last);
      this.#queuedBytes += bytes.length;
    }
    if (last !== undefined) last.sent = sent;
    else this.#queue.push({ bytes: new Uint8Array(0), sent });
    this.#scheduleFlush();
  }

  receive(receiver: Receiver): void {
    assert(this.#receiver === undefined, `the connection to ${this.peer} has a receiver already`);
    this.#receiver = receiver;
    if (this.#state === 'closing') return;
    if (this.#state === 'closed') this.process.schedule(0, () => receiver.closed(this.#closeError));
    else this.process.schedule(0, () => this.#deliver());
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.process.schedule(0, () => this.#deliver());
  }

  close(): void {
    if (this.#state !== 'open' || !this.process.alive) return;
    this.#send({ kind: 'end' });
    this.#finish(undefined);
  }

  /** Breaks both ends at once. */
  reset(): void {
    const message = `The connection between ${this.hostName} and ${this.peerHostName} broke.`;
    for (const end of [this, this.#other!]) end.#finish(new FsError('CONNECTION_LOST', message));
  }

  /** The process at this end is gone. */
  abandon(isSilent: boolean): void {
    if (this.#state === 'open' && !isSilent) this.#send({ kind: 'reset' });
    this.#state = 'closed';
    this.#network.forget(this);
    this.#queue = [];
    this.#arrived = [];
  }

  /** What this end sends from now on arrives so much later at the earliest; other connections do not wait for it. */
  holdUp(extraMs: number): void {
    const other = this.#other!;
    other.#lastArrivalMs = Math.max(other.#lastArrivalMs, this.process.nowMs + extraMs);
  }

  /** What waited for a cut link goes on. */
  carryWaiting(): void {
    for (; this.#waitingCount > 0; this.#waitingCount--) this.#scheduleArrival();
  }

  #scheduleFlush(): void {
    if (this.#isFlushScheduled) return;
    this.#isFlushScheduled = true;
    this.process.schedule(0, () => {
      this.#isFlushScheduled = false;
      this.#flush();
    });
  }

  /** Hands the wire as much as the window allows. The bytes are copied here: until `sent`, they are the caller's. */
  #flush(): void {
    if (this.#state !== 'open' || this.#queue.length === 0) return;
    const done: (() => void)[] = [];
    while (this.#queue.length > 0) {
      const { bytes, sent } = this.#queue[0]!;
      const length = Math.min(bytes.length, SEGMENT_BYTES_MAX);
      // Whole segments only: small ones for every bit of window that opens would end in ever smaller ones.
      if (length > WINDOW_BYTES - this.#unackedBytes) break;
      if (length > 0) this.#sendBytes(length === bytes.length ? bytes : bytes.subarray(0, length));
      this.#queuedBytes -= length;
      if (length < bytes.length) {
        this.#queue[0] = { bytes: bytes.subarray(length), sent };
      } else {
        this.#queue.shift();
        if (sent !== undefined) done.push(sent);
      }
    }
    for (const sent of done) sent();
    if (this.#queue.length === 0 && this.#isOpen()) this.#receiver?.drained();
  }

  #sendBytes(unsent: Uint8Array): void {
    this.#unackedBytes += unsent.length;
    const { random, conditions, segments } = this.#network;
    const { bytes, memory } = segments.copy(unsent);
    if (random.chance(conditions.resetChance)) {
      const arriving = random.between(0, bytes.length - 1);
      if (arriving > 0) this.#sendSegment(bytes.subarray(0, arriving), memory);
      this.#send({ kind: 'reset' });
      const message = `The connection to ${this.peer} broke.`;
      this.process.schedule(0, () => this.#finish(new FsError('CONNECTION_LOST', message)));
      return;
    }
    if (bytes.length > 1 && random.chance(conditions.splitChance)) {
      const at = random.between(1, bytes.length - 1);
      this.#sendSegment(bytes.subarray(0, at), undefined);
      this.#sendSegment(bytes.subarray(at), memory);
    } else {
      this.#sendSegment(bytes, memory);
    }
  }

  #sendSegment(bytes: Uint8Array, memory: Uint8Array | undefined): void {
    this.#send({ kind: 'data', segment: { bytes, memory } });
  }

  #send(item: WireItem): void {
    this.#other!.#wire.push(item);
    this.#other!.#scheduleArrival();
  }

  #scheduleArrival(): void {
    const nowMs = this.process.nowMs;
    this.#lastArrivalMs = Math.max(
      this.#lastArrivalMs,
      nowMs + this.#network.delayMs(this.#other!.hostName, this.hostName),
    );
    this.#network.schedule(this.#lastArrivalMs - nowMs, () => this.#arrive());
  }

  #arrive(): void {
    if (this.#network.isCut(this.#other!.hostName, this.hostName)) {
      this.#waitingCount += 1;
      return;
    }
    const item = this.#wire.shift();
    if (item === undefined) return;
    if (!this.process.alive) {
      // A machine that is back knows nothing of the connection and says so; one that is off says nothing.
      if (item.kind === 'data' && this.#network.hasLiveProcess(this.hostName)) this.#send({ kind: 'reset' });
      return;
    }
    if (this.#state !== 'open') return;
    if (item.kind === 'data') this.#arrived.push(item.segment);
    else if (item.kind === 'end') this.#hasEnded = true;
    this.process.whenRunning(() => {
      if (item.kind === 'reset')
        this.#finish(new FsError('CONNECTION_LOST', `The connection to ${this.peer} was reset.`));
      else this.#deliver();
    });
  }

  #deliver(): void {
    if (this.#isDelivering) return;
    this.#isDelivering = true;
    let takenBytes = 0;
    while (this.#isOpen() && !this.#isPaused && this.#receiver !== undefined && this.#arrived.length > 0) {
      const { bytes, memory } = this.#arrived[0]!;
      const target = this.#receiver.buffer();
      assert(target.length > 0, 'a receiver lent an empty buffer');
      const start = this.#takenBytes;
      const length = Math.min(target.length, bytes.length - start);
      target.set(start === 0 && length === bytes.length ? bytes : bytes.subarray(start, start + length));
      if (start + length === bytes.length) {
        this.#arrived.shift();
        this.#takenBytes = 0;
        if (memory !== undefined) this.#network.segments.giveBack(memory);
      } else {
        this.#takenBytes += length;
      }
      takenBytes += length;
      this.#receiver.received(length);
    }
    this.#isDelivering = false;
    if (takenBytes > 0) {
      this.#network.tap?.took(this, takenBytes);
      this.#acknowledge(takenBytes);
    }
    const hasAll = this.#arrived.length === 0 && !this.#isPaused && this.#receiver !== undefined;
    if (this.#hasEnded && hasAll && this.#isOpen()) this.#finish(undefined);
  }

  /** The peer's window opens. */
  #acknowledge(length: number): void {
    const other = this.#other!;
    // Only a sender that waits for it notices when it comes.
    if (other.#queue.length === 0) {
      other.#unackedBytes -= length;
      return;
    }
    other.process.schedule(this.#network.delayMs(this.hostName, other.hostName), () => {
      other.#unackedBytes -= length;
      other.#flush();
    });
  }

  #finish(error: Error | undefined): void {
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    this.#closeError = error;
    this.#network.forget(this);
    this.onEnd?.();
    const unsent = this.#queue;
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#arrived = [];
    this.process.schedule(0, () => {
      for (const { sent } of unsent) sent?.();
      this.#state = 'closed';
      this.#receiver?.closed(error);
    });
  }

  #isOpen(): boolean {
    return this.#state === 'open';
  }
}
