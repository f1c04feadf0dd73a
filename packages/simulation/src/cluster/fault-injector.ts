/**
 * Lets the faults of a schedule strike, and ends them. Each fault undoes itself after its time; `endAll` undoes what is
 * left, after which the world is whole again and the cluster has to become so by itself.
 */
import { unreachable } from '@cairnfs/base';
import type { FaultPoint, SimDisk, SimHost, UnsyncedFate } from '@cairnfs/sim';
import type { Fault, FaultKind, HostName, MessageKind, PlannedFault } from '../schedule/schedule.ts';
import type { WireFrame } from '../wire/wire-tap.ts';
import { rot } from './bit-rot.ts';
import { rotJournal } from './journal-rot.ts';
import type { LastCopies } from './last-copies.ts';
import type { MessageTraps } from './message-traps.ts';
import type { SimulatedCluster } from './simulated-cluster.ts';

/** A host that a fault can take down and that comes back: a server, or a client with its workload. */
export interface Restartable {
  readonly host: SimHost;
  crash(options: { unsynced: UnsyncedFate }): void;
  start(): Promise<void>;
}

/** Told of each operation that the disk, which hangs by that fault, does not answer. */
export type HeldBack = (fault: number, at: { atMs: number; host: HostName; directory: string }) => void;

const CAPACITY_BYTES = 1024 ** 3; // of every simulated disk
/** A message that was handed to the kernel has left it by then. */
const ON_ITS_WAY_MS = 0.01;
/** A sync takes some 6 s: longer than the calls that change a view. */
const SICK_SLOWNESS = 4000;
/** They may wait for what never comes, or find nothing to strike: counted when they do. */
const COUNTED_LATER: ReadonlySet<FaultKind> = new Set([
  'crash',
  'powerLoss',
  'pause',
  'lastWords',
  'lateMessage',
  'bitRot',
  'journalRot',
  'lostDisk',
]);

export class FaultInjector {
  /** Faults that struck, by kind: those that wait, when what they wait for has come. */
  readonly struck = new Map<FaultKind, number>();
  readonly #cluster: SimulatedCluster;
  readonly #clients: ReadonlyMap<HostName, Restartable>;
  /** What would end each fault in force, by its number. */
  readonly #endings = new Map<number, () => void>();
  /** Of the faults in force that delay all messages, the latest last. */
  readonly #delays = new Map<number, readonly [low: number, high: number]>();
  readonly #usualLatencyMs: readonly [low: number, high: number];
  /** Hosts that are down by a fault, with how many faults hold them down. */
  readonly #down = new Map<HostName, number>();
  /** Chunkservers on whose disks bits have flipped: a copy of theirs may be found damaged at any time. */
  readonly rotten = new Set<HostName>();
  /** Servers that may refuse to start, because a record of a journal was rotten. */
  readonly rottenJournals = new Set<HostName>();
  /** Servers that may have ended themselves because a fault struck their disk. */
  readonly brokenDisks = new Set<HostName>();
  /** Of the disks of chunkservers, as long as faults strike. */
  readonly #diskSlowness: number;
  readonly #masterSlowness: number;
  /** Spares the only copy of a chunk, where given. */
  readonly #lastCopies: LastCopies | undefined;
  readonly #heldBack: HeldBack;
  readonly #traps: MessageTraps;
  readonly #pausedUntilMs = new Map<HostName, number>();
  #isOver = false;

  constructor(
    cluster: SimulatedCluster,
    clients: ReadonlyMap<HostName, Restartable>,
    {
      diskSlowness = 1,
      masterSlowness = 1,
      lastCopies,
      traps,
      heldBack = () => {},
    }: {
      diskSlowness?: number;
      masterSlowness?: number;
      lastCopies?: LastCopies | undefined;
      /** They hear what is sent. */
      traps: MessageTraps;
      heldBack?: HeldBack;
    },
  ) {
    this.#cluster = cluster;
    this.#clients = clients;
    this.#diskSlowness = diskSlowness;
    this.#masterSlowness = masterSlowness;
    this.#lastCopies = lastCopies;
    this.#heldBack = heldBack;
    this.#traps = traps;
    this.#usualLatencyMs = cluster.simulation.network.conditions.latencyMs;
  }

  plan(faults: readonly PlannedFault[]): void {
    this.#slowDisks(this.#diskSlowness, this.#masterSlowness);
    for (const { id, atMs, fault } of faults) {
      this.#cluster.simulation.clock.after(atMs, () => {
        if (!this.#isOver) this.#strike(id, this.#reachable(fault));
      });
    }
  }

  /** When the last pause of a host ends, virtual. One that waited for its point outlasts the faults. */
  pausedUntilMs(host: HostName): number {
    return this.#pausedUntilMs.get(host) ?? 0;
  }

  /** The disks of the one that was left sick move again. */
  cure(): void {
    this.#slowDisks(1);
  }

  /** Ends every fault but pauses; no other strikes. The disks of one that is sick hardly move until it is cured. */
  endAll({ sick }: { sick?: HostName | undefined } = {}): void {
    this.#isOver = true;
    for (const id of [...this.#endings.keys()]) this.#end(id);
    const { network, hosts, trace } = this.#cluster.simulation;
    network.heal();
    for (const host of hosts) host.disk.repair();
    this.#slowDisks(1);
    if (sick === undefined) return;
    trace.record('fault', 'sick', { host: sick });
    this.#host(sick).disk.timing.slowness = SICK_SLOWNESS;
  }

  #strike(id: number, fault: Fault): void {
    const { simulation } = this.#cluster;
    const { network, trace } = simulation;
    const { kind } = fault;
    trace.record('fault', kind, { id, ...fault });
    if (!COUNTED_LATER.has(kind)) this.#count(kind);
    switch (kind) {
      case 'crash':
        this.#atPoint(id, fault, () => {
          this.#count(kind);
          this.#takeDown(id, [fault.host], fault);
        });
        return;
      case 'powerLoss': {
        const { hosts, downMs, again } = fault;
        const host = hosts[0]!;
        const fail = (back?: () => void) => this.#takeDown(id, hosts, { unsynced: 'torn', downMs, back });
        const failAgain = () => {
          if (this.#host(host).isRunning) this.#atPoint(id, { host, point: 'sync', pass: again }, fail);
        };
        this.#atPoint(id, { host, point: 'sync' }, () => {
          this.#count(kind);
          fail(again === undefined ? undefined : failAgain);
        });
        return;
      }
      case 'lastWords': {
        const { of, downMs, afterMs } = fault;
        this.#atMessage(id, fault, ({ from, to }) => {
          this.#count(kind);
          const host = { sender: from, receiver: to, master: 'master' }[of];
          this.#endSoon(id, host, { afterMs, unsynced: 'lose', downMs });
        });
        return;
      }
      case 'lateMessage':
        this.#atMessage(id, fault, ({ from, connection: number }) => {
          const { extraMs, downMs } = fault;
          this.#count(kind);
          network.holdUp({ number, hostName: from }, extraMs);
          if (downMs !== undefined) this.#endSoon(id, from, { afterMs: ON_ITS_WAY_MS, unsynced: 'keep', downMs });
        });
        return;
      case 'outage':
        this.#takeDown(id, fault.hosts, { unsynced: 'keep', downMs: fault.downMs });
        return;
      case 'pause':
        this.#atPoint(id, fault, () => {
          if (!this.#host(fault.host).isRunning) return;
          this.#count(kind);
          this.#host(fault.host).stall(fault.durationMs);
          this.#pausedUntilMs.set(fault.host, simulation.nowMs + fault.durationMs);
        });
        return;
      case 'clock':
        this.#host(fault.host).adjustClock({ rate: fault.rate, wallOffsetMs: fault.wallOffsetMs });
        return;
      case 'partition':
        network.cut(fault.from, fault.to);
        if (!fault.isOneWay) network.cut(fault.to, fault.from);
        this.#endAfter(id, fault.durationMs, () => {
          network.mend(fault.from, fault.to);
          if (!fault.isOneWay) network.mend(fault.to, fault.from);
        });
        return;
      case 'slowLink':
        network.slow(fault.from, fault.to, fault.extraMs);
        this.#endAfter(id, fault.durationMs, () => network.quicken(fault.from, fault.to));
        return;
      case 'delays': {
        this.#delays.set(id, fault.latencyMs);
        network.conditions.latencyMs = fault.latencyMs;
        this.#endAfter(id, fault.durationMs, () => {
          this.#delays.delete(id);
          network.conditions.latencyMs = [...this.#delays.values()].at(-1) ?? this.#usualLatencyMs;
        });
        return;
      }
      case 'lossyNetwork':
        network.conditions.resetChance = fault.resetChance;
        this.#endAfter(id, fault.durationMs, () => {
          network.conditions.resetChance = 0;
        });
        return;
      case 'resetConnections':
        network.resetConnections(fault.host);
        return;
      case 'diskErrors': {
        this.brokenDisks.add(fault.host);
        const { disk } = this.#host(fault.host);
        const broken = {
          prefix: this.#folder(fault.host, fault.disk),
          operation: fault.operation,
          code: 'EIO',
        } as const;
        disk.break(broken);
        // A disk that failed is out of service until somebody has mended it and started the server again.
        this.#endAfter(id, fault.durationMs, () => {
          disk.mend(broken);
          if (fault.host !== 'master') this.#takeDown(id, [fault.host], { unsynced: 'keep', downMs: 0 });
        });
        return;
      }
      case 'diskFull':
      case 'littleRoom': {
        if (kind === 'diskFull') this.brokenDisks.add(fault.host);
        const { disk } = this.#host(fault.host);
        fill(disk, fault.freeBytes);
        this.#endAfter(id, fault.durationMs, () => disk.setCapacity('', CAPACITY_BYTES));
        return;
      }
      case 'slowDisk': {
        const { disk } = this.#host(fault.host);
        disk.timing.slowness = fault.slowness;
        this.#endAfter(id, fault.durationMs, () => {
          disk.timing.slowness = fault.host === 'master' ? this.#masterSlowness : this.#diskSlowness;
        });
        return;
      }
      case 'hangingDisk': {
        this.brokenDisks.add(fault.host);
        const directory = this.#folder(fault.host, fault.disk);
        const held = () => this.#heldBack(id, { atMs: simulation.nowMs, host: fault.host, directory });
        const endHang = this.#host(fault.host).disk.hang(directory, held);
        this.#endAfter(id, fault.durationMs, () => {
          endHang();
          this.#takeDown(id, [fault.host], { unsynced: 'keep', downMs: 0 });
        });
        return;
      }
      case 'bitRot':
        this.#rot(fault.host, fault);
        return;
      case 'journalRot':
        this.#rotJournal(id, fault);
        return;
      case 'lostDisk':
        this.brokenDisks.add(fault.host);
        this.#takeDown(id, [fault.host], { unsynced: 'lose', downMs: fault.downMs });
        if ((this.#lastCopies?.of(fault.host).size ?? 0) > 0) return;
        this.#count(kind);
        this.#lastCopies?.destroyed(fault.host);
        this.#host(fault.host).disk.wipe(this.#folder(fault.host, fault.disk));
        return;
      default:
        unreachable(kind);
    }
  }

  /** A client has no disk whose points it could come by: it sends where a server would wait for its disk. */
  #reachable(fault: Fault): Fault {
    if (fault.kind !== 'crash' || fault.point === undefined || !this.#clients.has(fault.host)) return fault;
    return { ...fault, point: 'send' };
  }

  #count(kind: FaultKind): void {
    this.struck.set(kind, (this.struck.get(kind) ?? 0) + 1);
  }

  #slowDisks(slowness: number, ofMaster = 1): void {
    this.#host('master').disk.timing.slowness = ofMaster;
    for (const name of this.#cluster.chunkserverNames) this.#host(name).disk.timing.slowness = slowness;
  }

  /** Now, or when the host's process comes by the point: the next time, or the `pass`th. */
  #atPoint(
    id: number,
    fault: { host: HostName; point?: FaultPoint; pass?: number | undefined },
    strike: () => void,
  ): void {
    const host = this.#host(fault.host);
    if (fault.point === undefined || !host.isRunning) strike();
    else {
      const struck = () => {
        if (this.#isOver) return;
        this.#cluster.simulation.trace.record('fault', 'at point', { id, point: fault.point });
        strike();
      };
      host.ambush(fault.point, struck, fault.pass);
    }
  }

  /** When somebody sends the message, for the `pass`th time from now. */
  #atMessage(
    id: number,
    { message, pass }: { message: MessageKind; pass: number },
    strike: (frame: WireFrame) => void,
  ): void {
    this.#traps.set(message, pass, (frame) => {
      if (this.#isOver) return;
      const { from, to, call } = frame;
      this.#cluster.simulation.trace.record('fault', 'at message', { id, from, to, call: `#${call.number}` });
      strike(frame);
    });
  }

  /** If it runs then. */
  #endSoon(
    id: number,
    name: HostName,
    { afterMs, ...down }: { afterMs: number; unsynced: UnsyncedFate; downMs: number },
  ): void {
    this.#cluster.simulation.clock.after(afterMs, () => {
      if (!this.#isOver && this.#host(name).isRunning) this.#takeDown(id, [name], down);
    });
  }

  /** All of them at once; they come back at once as well, and `back` runs then. */
  #takeDown(
    id: number,
    names: readonly HostName[],
    { unsynced, downMs, back }: { unsynced: UnsyncedFate; downMs: number; back?: (() => void) | undefined },
  ): void {
    for (const name of names) {
      this.#restartable(name).crash({ unsynced });
      this.#down.set(name, (this.#down.get(name) ?? 0) + 1);
    }
    this.#endAfter(id, downMs, () => {
      for (const name of names) {
        const count = this.#down.get(name)! - 1;
        this.#down.set(name, count);
        if (count === 0) void this.#restartable(name).start();
      }
      back?.();
    });
  }

  #rot(name: HostName, { choice, bits }: { choice: number; bits: number }): void {
    const rotten = rot(this.#host(name).disk, { choice, bits, spared: this.#lastCopies?.of(name) ?? new Set() });
    if (rotten === undefined) return;
    const { path, handle, sizeBytes } = rotten;
    this.#count('bitRot');
    this.rotten.add(name);
    this.brokenDisks.add(name);
    this.#lastCopies?.destroyed(name, handle);
    this.#cluster.simulation.trace.record(name, 'bit rot', { path, sizeBytes });
  }

  /** The server is started on it, and once more when it is mended. */
  #rotJournal(id: number, { host, disk, choice, bits, durationMs }: Extract<Fault, { kind: 'journalRot' }>): void {
    const rotten = rotJournal(this.#host(host).disk, { folder: this.#folder(host, disk), choice, bits });
    if (rotten === undefined) return;
    const { path, sequence } = rotten;
    this.#count('journalRot');
    this.rottenJournals.add(host);
    this.#cluster.simulation.trace.record(host, 'journal rot', { path, sequence });
    const restart = (back?: () => void) => this.#takeDown(id, [host], { unsynced: 'keep', downMs: 0, back });
    const mend = () => {
      rotten.mend();
      restart();
    };
    restart(() => {
      if (this.#isOver) mend();
      else this.#endAfter(id, durationMs, mend);
    });
  }

  #endAfter(id: number, durationMs: number, end: () => void): void {
    this.#endings.set(id, end);
    this.#cluster.simulation.clock.after(durationMs, () => {
      if (this.#endings.get(id) === end) this.#end(id);
    });
  }

  #end(id: number): void {
    const end = this.#endings.get(id);
    this.#endings.delete(id);
    this.#cluster.simulation.trace.record('fault', 'end', { id });
    end?.();
  }

  #restartable(name: HostName): Restartable {
    return this.#clients.get(name) ?? this.#cluster.server(name);
  }

  #host(name: HostName): SimHost {
    return this.#restartable(name).host;
  }

  #folder(name: HostName, disk: number): string {
    return name === 'master' ? '' : this.#cluster.disks[disk]!;
  }
}

/** Leaves so much room. */
function fill(disk: SimDisk, freeBytes: number): void {
  const { totalBytes, freeBytes: nowFree } = disk.space('');
  disk.setCapacity('', totalBytes - nowFree + freeBytes);
}
