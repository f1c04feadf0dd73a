/** Lets planned faults strike real processes and their network, and ends them when their time is over. */
import type { TestCluster } from '../harness/cluster.ts';
import type { ClientFleet } from './client-fleet.ts';
import type { ChaosFault, PlannedChaos } from './fault-plan.ts';
import type { VirtualNetwork } from './virtual-network.ts';

export interface InjectorParts {
  readonly cluster: TestCluster;
  readonly clients: ClientFleet;
  readonly network: VirtualNetwork | undefined;
  /** A line for the run's journal. */
  readonly tell: (line: string) => void;
}

export class FaultInjector {
  /** How often each kind struck. */
  readonly struck = new Map<string, number>();
  readonly #parts: InjectorParts;
  /** Of pauses, by place; of pulled cables; of lost directions: overlapping faults end with the last of them. */
  readonly #paused = new Holds();
  readonly #unplugged = new Holds();
  readonly #lost = new Holds();
  /** Until then the server stays down. */
  readonly #down = new Holds();

  constructor(parts: InjectorParts) {
    this.#parts = parts;
  }

  /** Resolves when the time is over and every fault has ended. */
  async run(plan: readonly PlannedChaos[], { durationMs, signal }: { durationMs: number; signal: AbortSignal }) {
    const startMs = performance.now();
    const ending: Promise<void>[] = [];
    const until = (atMs: number) => pause(startMs + atMs - performance.now(), signal);
    for (const { atMs, fault } of plan) {
      await until(atMs);
      if (signal.aborted) break;
      const { undo, lastsMs } = this.#strike(fault);
      this.struck.set(fault.kind, (this.struck.get(fault.kind) ?? 0) + 1);
      this.#parts.tell(`${describe(fault)} for ${lastsMs} ms`);
      const endMs = Math.min(performance.now() - startMs + lastsMs, durationMs);
      const ended = until(endMs).then(undo);
      ended.catch(() => undefined); // thrown below, when all others have ended
      ending.push(ended);
    }
    await until(durationMs);
    await Promise.all(ending);
  }

  #strike(fault: ChaosFault): { undo: () => void | Promise<void>; lastsMs: number } {
    switch (fault.kind) {
      case 'kill':
        return { undo: this.#kill([fault.place]), lastsMs: fault.downMs };
      case 'killAll':
        return { undo: this.#kill(this.#parts.cluster.serverNames), lastsMs: fault.downMs };
      case 'pause':
        return { undo: this.#pause(fault.place), lastsMs: fault.durationMs };
      case 'killClient':
        return { undo: this.#killClient(fault.place), lastsMs: fault.downMs };
      case 'pauseClient':
        return { undo: this.#pause(fault.place), lastsMs: fault.durationMs };
      case 'unplug':
        return { undo: this.#unplug(fault.place), lastsMs: fault.durationMs };
      case 'partition':
        return { undo: this.#lose(pairs(fault.from, fault.to, true)), lastsMs: fault.durationMs };
      case 'oneWay':
        return { undo: this.#lose(pairs(fault.from, fault.to, false)), lastsMs: fault.durationMs };
    }
  }

  #kill(names: readonly string[]): () => Promise<void> {
    const { cluster } = this.#parts;
    const killed = names.map((name) => {
      this.#down.take(name);
      this.#paused.drop(name); // the pause ends with the process
      return cluster.signal(name, 'SIGKILL');
    });
    return async () => {
      await Promise.all(killed);
      for (const name of names) if (this.#down.giveBack(name) && !cluster.isRunning(name)) cluster.launch(name);
    };
  }

  #pause(place: string): () => void {
    const hold = this.#paused.take(place);
    this.#freeze(place, true);
    return () => {
      if (this.#paused.giveBack(place, hold)) this.#freeze(place, false);
    };
  }

  #freeze(place: string, isFrozen: boolean): void {
    const { cluster, clients } = this.#parts;
    if (cluster.serverNames.includes(place)) cluster.freeze(place, isFrozen);
    else clients.freeze(place, isFrozen);
  }

  #killClient(place: string): () => Promise<void> {
    const { clients } = this.#parts;
    this.#paused.drop(place);
    const killed = clients.kill(place);
    return async () => {
      await killed;
      clients.start(place);
    };
  }

  #unplug(place: string): () => void {
    const network = this.#parts.network!;
    this.#unplugged.take(place);
    network.connect(place, false);
    return () => {
      if (this.#unplugged.giveBack(place)) network.connect(place, true);
    };
  }

  #lose(directions: readonly (readonly [from: string, to: string])[]): () => void {
    const network = this.#parts.network!;
    for (const [from, to] of directions) {
      this.#lost.take(`${from} ${to}`);
      network.lose(from, to);
    }
    return () => {
      for (const [from, to] of directions) if (this.#lost.giveBack(`${from} ${to}`)) network.deliver(from, to);
    };
  }
}

/** Counts who holds what; what was dropped meanwhile is held by no one of before. */
class Holds {
  readonly #counts = new Map<string, number>();
  readonly #ages = new Map<string, number>();

  /** @returns to be given back. */
  take(name: string): number {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
    return this.#ages.get(name) ?? 0;
  }

  /** @returns whether nobody holds it any more. */
  giveBack(name: string, age = this.#ages.get(name) ?? 0): boolean {
    if (age !== (this.#ages.get(name) ?? 0)) return false;
    const left = this.#counts.get(name)! - 1;
    this.#counts.set(name, left);
    return left === 0;
  }

  drop(name: string): void {
    this.#counts.set(name, 0);
    this.#ages.set(name, (this.#ages.get(name) ?? 0) + 1);
  }
}

function pairs(from: readonly string[], to: readonly string[], isBothWays: boolean): [string, string][] {
  return from.flatMap((a) =>
    to.flatMap((b): [string, string][] =>
      isBothWays
        ? [
            [a, b],
            [b, a],
          ]
        : [[a, b]],
    ),
  );
}

function describe(fault: ChaosFault): string {
  if (fault.kind === 'killAll') return 'killAll';
  if ('place' in fault) return `${fault.kind} ${fault.place}`;
  const arrow = fault.kind === 'oneWay' ? '->' : '<->';
  return `${fault.kind} ${fault.from.join(',')} ${arrow} ${fault.to.join(',')}`;
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0 || signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
  });
}
