/**
 * A network for the processes of one run: each place has a network namespace of its own with one cable to a switch (a
 * bridge), which has a namespace too. The machine's own interfaces and routes are not touched. A cut loses packets without
 * a word, as broken networks do: a pulled cable, or in one direction, an address that leads to no one.
 */
import type { Placement } from '../harness/placement.ts';
import { ip } from './ip-command.ts';

const NETWORK = '10.99.0';
const CARD = 'eth0';
const SWITCH = 'switch0';
/** Locally administered and nobody's: the switch finds no one who takes such packets. */
const NOBODY = '02:00:00:00:00:01';

export class VirtualNetwork implements Placement {
  readonly #runName: string;
  readonly #numbers = new Map<string, number>();

  private constructor(runName: string) {
    this.#runName = runName;
  }

  /** @returns why this machine or this user cannot have one; undefined when all is there. */
  static whatIsMissing(runName: string): string | undefined {
    if (process.getuid?.() !== 0) return 'network namespaces need root';
    const trial = new VirtualNetwork(runName);
    try {
      trial.#build(['trial']);
    } catch (error) {
      return (error as Error).message;
    } finally {
      trial.remove();
    }
    return undefined;
  }

  static create(runName: string, places: readonly string[]): VirtualNetwork {
    const network = new VirtualNetwork(runName);
    try {
      network.#build(places);
    } catch (error) {
      network.remove();
      throw error;
    }
    return network;
  }

  hostOf(place: string): string {
    const number = this.#numbers.get(place);
    if (number === undefined) throw new Error(`no place ${place}: one of ${[...this.#numbers.keys()].join(', ')}`);
    return `${NETWORK}.${number}`;
  }

  place(place: string, argv: readonly [command: string, ...args: string[]]): { command: string; args: string[] } {
    this.hostOf(place);
    return { command: 'ip', args: ['netns', 'exec', this.#namespaceOf(place), ...argv] };
  }

  /** Pulls the place's cable, or plugs it in. */
  connect(place: string, isConnected: boolean): void {
    ip('-n', this.#namespaceOf('switch'), 'link', 'set', this.#portOf(place), isConnected ? 'up' : 'down');
  }

  /** What `from` sends to `to` is lost from now on. */
  lose(from: string, to: string): void {
    const words = ['replace', this.hostOf(to), 'lladdr', NOBODY, 'dev', CARD, 'nud', 'permanent'];
    ip('-n', this.#namespaceOf(from), 'neigh', ...words);
  }

  deliver(from: string, to: string): void {
    ip('-n', this.#namespaceOf(from), 'neigh', 'del', this.hostOf(to), 'dev', CARD);
  }

  /** The processes in it must have ended: a namespace lives as long as they do. */
  remove(): void {
    for (const place of [...this.#numbers.keys(), 'switch']) {
      try {
        ip('netns', 'del', this.#namespaceOf(place));
      } catch {
        // It was never made: `ip` tells nothing apart here, and the sweep of leftovers looks again.
      }
    }
    this.#numbers.clear();
  }

  #build(places: readonly string[]): void {
    const hub = this.#namespaceOf('switch');
    ip('netns', 'add', hub);
    ip('-n', hub, 'link', 'add', SWITCH, 'type', 'bridge');
    ip('-n', hub, 'link', 'set', SWITCH, 'up');
    places.forEach((place, index) => {
      this.#numbers.set(place, index + 1);
      const namespace = this.#namespaceOf(place);
      const port = this.#portOf(place);
      ip('netns', 'add', namespace);
      // Made inside the switch's namespace, so that the machine's own never shows it.
      ip('-n', hub, 'link', 'add', port, 'type', 'veth', 'peer', 'name', CARD, 'netns', namespace);
      ip('-n', hub, 'link', 'set', port, 'master', SWITCH, 'up');
      ip('-n', namespace, 'addr', 'add', `${this.hostOf(place)}/24`, 'dev', CARD);
      ip('-n', namespace, 'link', 'set', CARD, 'up');
      ip('-n', namespace, 'link', 'set', 'lo', 'up');
    });
  }

  #namespaceOf(place: string): string {
    return `${this.#runName}-${place}`;
  }

  #portOf(place: string): string {
    return `port${this.hostOf(place).split('.')[3]}`;
  }
}
