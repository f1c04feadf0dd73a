/**
 * The network between simulated hosts: who can reach whom, how long it takes, who listens where. Connections behave as
 * TCP does: bytes arrive in order or not at all, cut at any point. While a link is cut, what was sent waits (TCP sends
 * it again) and arrives after the cut is healed, unless somebody gave the connection up.
 */
import { type Address, assert, type Connection, FsError, formatAddress, parseAddress } from '@cairnfs/base';
import type { EventLoop } from '../event-loop.ts';
import type { Memory } from '../memory.ts';
import type { SimProcess } from '../process.ts';
import type { SimRandom } from '../random.ts';
import { SegmentPool } from './segment-pool.ts';
import { SimConnection } from './sim-connection.ts';

export interface NetworkConditions {
  /** One way, for each segment. */
  latencyMs: readonly [low: number, high: number];
  /** Probability that a segment breaks its connection. */
  resetChance: number;
  /** Probability that a segment is cut in two at any byte. */
  splitChance: number;
}

/** One end of a connection, as a tap sees it. */
export interface TappedEnd {
  readonly number: number;
  readonly hostName: string;
  readonly peerHostName: string;
}

/** Sees what all connections carry. It must change nothing and keep no buffer. */
export interface NetworkTap {
  /** The process at this end handed these bytes to its kernel. */
  wrote(end: TappedEnd, buffers: readonly Uint8Array[]): void;
  /** The process at this end was given so many bytes of what the other one wrote. */
  took(end: TappedEnd, bytes: number): void;
}

export interface SimListener {
  readonly process: SimProcess;
  readonly accept: (connection: Connection) => void;
  readonly accepted: Set<SimConnection>;
}

const EPHEMERAL_PORT_MIN = 32768;
const CONNECT_RETRY_MS = 1000; // as Linux repeats a SYN that nobody answers
const LOCAL_NAMES = new Set(['0.0.0.0', '::', '127.0.0.1', '::1', 'localhost']);

export class SimNetwork {
  readonly random: SimRandom;
  readonly conditions: NetworkConditions = { latencyMs: [0.05, 0.5], resetChance: 0, splitChance: 0.1 };
  tap: NetworkTap | undefined;
  readonly segments: SegmentPool;
  readonly #loop: EventLoop;
  /** The process now alive on each host; undefined while there is none. Hosts switched off are in `#off`. */
  readonly #hosts = new Map<string, SimProcess | undefined>();
  readonly #off = new Set<string>();
  readonly #listeners = new Map<Address, SimListener>();
  readonly #connections = new Set<SimConnection>();
  /** How many cuts of each one-way link are in force. */
  readonly #cuts = new Map<string, number>();
  readonly #slowLinks = new Map<string, readonly [low: number, high: number]>();
  #nextPort = EPHEMERAL_PORT_MIN;
  #connectionsMade = 0;

  constructor(loop: EventLoop, random: SimRandom, memory: Memory) {
    this.segments = new SegmentPool(memory);
    this.#loop = loop;
    this.random = random;
  }

  /** Cuts both ways between two groups of hosts. */
  partition(a: string | readonly string[], b: string | readonly string[]): void {
    this.cut(a, b);
    this.cut(b, a);
  }

  /** Cuts one way only: what `from` sends does not reach `to`, while the other direction works. */
  cut(from: string | readonly string[], to: string | readonly string[]): void {
    for (const a of [from].flat()) for (const b of [to].flat()) if (a !== b) this.#changeCut(`${a}>${b}`, 1);
  }

  /** Ends one `cut` of the same hosts; what waited goes on its way where no other cut is in force. */
  mend(from: string | readonly string[], to: string | readonly string[]): void {
    for (const a of [from].flat()) for (const b of [to].flat()) this.#changeCut(`${a}>${b}`, -1);
    for (const connection of this.#connections) connection.carryWaiting();
  }

  /** The links from `from` to `to` are as fast as the others again. */
  quicken(from: string, to: string): void {
    this.#slowLinks.delete(`${from}>${to}`);
  }

  /** Ends all cuts and slow links; what waited goes on its way. */
  heal(): void {
    this.#cuts.clear();
    this.#slowLinks.clear();
    for (const connection of this.#connections) connection.carryWaiting();
  }

  /** Breaks the open connections between two hosts, or all of one host. Both sides learn it. */
  resetConnections(host: string, other?: string): void {
    for (const connection of [...this.#connections]) {
      const { hostName, peerHostName } = connection;
      if (hostName === host && (other === undefined || peerHostName === other)) connection.reset();
    }
  }

  /** What the host sends over that connection from now on arrives so much later at the earliest; other connections do not wait. */
  holdUp({ number, hostName }: Pick<TappedEnd, 'number' | 'hostName'>, extraMs: number): void {
    for (const connection of this.#connections) {
      if (connection.number === number && connection.hostName === hostName) connection.holdUp(extraMs);
    }
  }

  #changeCut(link: string, by: number): void {
    const count = (this.#cuts.get(link) ?? 0) + by;
    if (count > 0) this.#cuts.set(link, count);
    else this.#cuts.delete(link);
  }

  isCut(from: string, to: string): boolean {
    return this.#cuts.size > 0 && this.#cuts.has(`${from}>${to}`);
  }

  get connectionCount(): number {
    return this.#connections.size / 2;
  }

  /** A process begins to live on the host. */
  start(process: SimProcess): void {
    assert(!this.#hosts.get(process.hostName)?.alive, () => `${process.hostName} runs a process already`);
    this.#hosts.set(process.hostName, process);
    this.#off.delete(process.hostName);
  }

  /**
   * The host's process ended.
   *
   * @param isSilent the machine lost power: nobody is told, and who waits for an answer waits. Otherwise the kernel
   * lives on and resets the connections.
   */
  stop(process: SimProcess, isSilent: boolean): void {
    this.#hosts.set(process.hostName, undefined);
    if (isSilent) this.#off.add(process.hostName);
    for (const [address, listener] of this.#listeners) {
      if (listener.process === process) this.#listeners.delete(address);
    }
    for (const connection of [...this.#connections]) {
      if (connection.process === process) connection.abandon(isSilent);
    }
  }

  hasLiveProcess(hostName: string): boolean {
    return this.#hosts.get(hostName) !== undefined;
  }

  /** What `from` sends to `to` takes so much longer than `conditions` say, until `heal`. */
  slow(from: string, to: string, extraMs: readonly [low: number, high: number]): void {
    this.#slowLinks.set(`${from}>${to}`, extraMs);
  }

  delayMs(from: string, to: string): number {
    const [low, high] = this.conditions.latencyMs;
    const delayMs = this.random.uniform(low, high);
    if (this.#slowLinks.size === 0) return delayMs;
    const extraMs = this.#slowLinks.get(`${from}>${to}`);
    return extraMs === undefined ? delayMs : delayMs + this.random.uniform(...extraMs);
  }

  schedule(delayMs: number, callback: () => void): void {
    this.#loop.schedule(delayMs, callback);
  }

  forget(connection: SimConnection): void {
    this.#connections.delete(connection);
  }

  listen(process: SimProcess, at: Address, accept: (connection: Connection) => void): Address {
    const { port } = parseAddress(this.#resolve(at, process.hostName));
    const address = formatAddress({ host: process.hostName, port: port === 0 ? this.#nextPort++ : port });
    if (parseAddress(this.#resolve(at, process.hostName)).host !== process.hostName) {
      throw new FsError('INVALID_ARGUMENT', `Cannot listen at ${at}: it is no address of ${process.hostName}.`);
    }
    if (this.#listeners.has(address)) {
      throw new FsError('UNAVAILABLE', `Cannot listen at ${address}: the port is in use. Choose another one.`);
    }
    this.#listeners.set(address, { process, accept, accepted: new Set() });
    return address;
  }

  closeListener(address: Address): void {
    const listener = this.#listeners.get(address);
    this.#listeners.delete(address);
    for (const connection of listener?.accepted ?? []) connection.close();
  }

  connect(process: SimProcess, to: Address, timeoutMs: number): Promise<Connection> {
    const address = this.#resolve(to, process.hostName);
    const { host } = parseAddress(address);
    return new Promise((resolve, reject) => {
      let settled = false;
      const timer = process.schedule(timeoutMs, () => {
        settled = true;
        reject(new FsError('DEADLINE_EXCEEDED', `No connection to ${to} within ${timeoutMs} ms: no answer.`));
      });
      const answer = (respond: () => void, tooLate?: () => void) => {
        process.schedule(this.delayMs(host, process.hostName), () => {
          if (settled) {
            tooLate?.();
            return;
          }
          settled = true;
          timer.cancel();
          respond();
        });
      };
      const attempt = () => {
        if (settled || !process.alive) return;
        if (!this.#hosts.has(host)) {
          answer(() => reject(new FsError('CONNECTION_LOST', `No connection to ${to}: there is no host ${host}.`)));
        } else if (this.isCut(process.hostName, host) || this.isCut(host, process.hostName) || this.#off.has(host)) {
          this.schedule(CONNECT_RETRY_MS, attempt);
        } else {
          this.#answerConnect({ process, to, address, answer, resolve, reject });
        }
      };
      this.schedule(this.delayMs(process.hostName, host), attempt);
    });
  }

  #answerConnect(options: {
    process: SimProcess;
    to: Address;
    address: Address;
    answer: (respond: () => void, tooLate?: () => void) => void;
    resolve: (connection: Connection) => void;
    reject: (error: FsError) => void;
  }): void {
    const { process, to, address, answer, resolve, reject } = options;
    const listener = this.#listeners.get(address);
    if (listener === undefined) {
      answer(() => {
        const message = `No connection to ${to}: nobody listens there. Is the server running?`;
        reject(new FsError('CONNECTION_REFUSED', message));
      });
      return;
    }
    const clientAddress = formatAddress({ host: process.hostName, port: this.#nextPort++ });
    const number = ++this.#connectionsMade;
    const client = new SimConnection(this, process, { peer: address, number });
    const server = new SimConnection(this, listener.process, { peer: clientAddress, number });
    client.join(server);
    this.#connections.add(client).add(server);
    listener.accepted.add(server);
    server.onEnd = () => listener.accepted.delete(server);
    // The kernel answers even when the process is stalled; the process accepts when it runs.
    listener.process.schedule(0, () => listener.accept(server));
    answer(
      () => resolve(client),
      // The caller gave up meanwhile.
      () => client.close(),
    );
  }

  #resolve(address: Address, hostName: string): Address {
    const { host, port } = parseAddress(address);
    return LOCAL_NAMES.has(host) ? formatAddress({ host: hostName, port }) : address;
  }
}
