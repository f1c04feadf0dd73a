/** A network inside the test: bytes arrive in order, cut at places the test chooses, on the ticks of a fake clock. */
import {
  type Address,
  type Clock,
  type Connection,
  FsError,
  type Listener,
  type Network,
  type Receiver,
} from '@cairnfs/base';

/** How many of the `available` bytes arrive at once: at least 1. */
export type Cut = (available: number) => number;

export class LoopbackConnection implements Connection {
  readonly peer: string;
  other: LoopbackConnection | undefined;
  readonly #clock: Clock;
  readonly #cut: Cut;
  #receiver: Receiver | undefined;
  #incoming: { bytes: Uint8Array; sent: (() => void) | undefined }[] = [];
  #paused = false;
  #closed = false;
  #scheduled = false;
  /** While set, nothing this side writes arrives. */
  isMute = false;
  writeCount = 0;

  constructor(clock: Clock, cut: Cut, peer: string) {
    this.#clock = clock;
    this.#cut = cut;
    this.peer = peer;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  get queuedBytes(): number {
    return this.other?.incomingBytes ?? 0;
  }

  get incomingBytes(): number {
    return this.#incoming.reduce((total, { bytes }) => total + bytes.length, 0);
  }

  write(buffers: readonly Uint8Array[], sent?: () => void): void {
    this.writeCount += 1;
    if (this.#closed || this.isMute || this.other === undefined) {
      sent?.();
      return;
    }
    for (const [index, bytes] of buffers.entries()) {
      this.other.#incoming.push({ bytes, sent: index === buffers.length - 1 ? sent : undefined });
    }
    this.other.#schedule();
  }

  receive(receiver: Receiver): void {
    this.#receiver = receiver;
    this.#schedule();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#schedule();
  }

  close(): void {
    if (this.#closed) return;
    this.end();
    const { other } = this;
    this.#clock.soon(() => other?.end());
  }

  end(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const { sent } of this.#incoming.splice(0)) sent?.();
    this.#receiver?.closed();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#clock.soon(() => {
      this.#scheduled = false;
      this.#deliver();
    });
  }

  #deliver(): void {
    while (this.#receiver !== undefined && !this.#paused && !this.#closed) {
      const first = this.#incoming[0];
      if (first === undefined) return;
      const target = this.#receiver.buffer();
      if (target.length === 0) throw new Error('an empty buffer was lent');
      const length = Math.min(target.length, first.bytes.length, Math.max(1, this.#cut(first.bytes.length)));
      target.set(first.bytes.subarray(0, length));
      first.bytes = first.bytes.subarray(length);
      if (first.bytes.length === 0) {
        this.#incoming.shift();
        first.sent?.();
      }
      this.#receiver.received(length);
      if (this.#incoming.length === 0 && !this.#closed) this.other?.drained();
    }
  }

  drained(): void {
    if (!this.#closed) this.#receiver?.drained();
  }
}

export class LoopbackNetwork implements Network {
  readonly #clock: Clock;
  readonly #cut: Cut;
  readonly #listeners = new Map<Address, (connection: Connection) => void>();
  /** Client sides, in the order they were made. */
  readonly connections: LoopbackConnection[] = [];
  connectCount = 0;

  constructor(clock: Clock, cut: Cut = (available) => available) {
    this.#clock = clock;
    this.#cut = cut;
  }

  pair(to: Address): { client: LoopbackConnection; server: LoopbackConnection } {
    const client = new LoopbackConnection(this.#clock, this.#cut, to);
    const server = new LoopbackConnection(this.#clock, this.#cut, 'client:1');
    client.other = server;
    server.other = client;
    this.connections.push(client);
    return { client, server };
  }

  async connect(to: Address): Promise<Connection> {
    this.connectCount += 1;
    const accept = this.#listeners.get(to);
    if (accept === undefined) throw new FsError('CONNECTION_REFUSED', `nobody listens at ${to}`);
    const { client, server } = this.pair(to);
    accept(server);
    return client;
  }

  async listen(at: Address, accept: (connection: Connection) => void): Promise<Listener> {
    this.#listeners.set(at, accept);
    return {
      address: at,
      close: async () => {
        this.#listeners.delete(at);
      },
    };
  }
}
