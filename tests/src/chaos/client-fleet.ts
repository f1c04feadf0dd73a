/** The client processes of a run: each place has one at a time, and a replacement after that was killed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Placement } from '../harness/placement.ts';
import type { ClientConfig } from './client-config.ts';
import { PROCESSES_MAX } from './operation-log.ts';

const PROGRAM = fileURLToPath(new URL('./client-process.js', import.meta.url));

export interface FleetOptions {
  readonly places: readonly string[];
  readonly placement: Placement;
  /** Of the operation logs. */
  readonly folder: string;
  /** For all that tells a process what to do. */
  readonly config: Pick<ClientConfig, 'master' | 'seed' | 'durationMs' | 'startNs'>;
}

interface ClientProcess {
  readonly name: string;
  readonly child: ChildProcess;
  readonly exited: Promise<void>;
  /** It was told to end. */
  isEnding: boolean;
}

export class ClientFleet {
  /** Processes that ended although nobody ended them: name, exit code or signal. */
  readonly unexpectedExits: string[] = [];
  readonly #options: FleetOptions;
  readonly #running = new Map<string, ClientProcess>();
  readonly #lives = new Map<string, number>();
  #started = 0;
  #isOver = false;

  constructor(options: FleetOptions) {
    this.#options = options;
  }

  startAll(): void {
    for (const place of this.#options.places) this.start(place);
  }

  /** Unless one runs there. */
  start(place: string): void {
    if (this.#running.has(place) || this.#isOver || this.#started === PROCESSES_MAX) return;
    const { placement, folder, config } = this.#options;
    const life = (this.#lives.get(place) ?? 0) + 1;
    this.#lives.set(place, life);
    const name = `${place}.${life}`;
    const path = join(folder, `${name}.json`);
    const told: ClientConfig = { ...config, folder, name, number: this.#started };
    this.#started += 1;
    writeFileSync(path, JSON.stringify(told));
    const { command, args } = placement.place(place, [process.execPath, PROGRAM, path]);
    const output = openSync(join(folder, `${name}.output`), 'a');
    const child = spawn(command, args, { stdio: ['pipe', output, output] });
    closeSync(output);
    const exited = new Promise<void>((resolve) => {
      child.once('exit', (code, signal) => {
        if (this.#running.get(place) === client) this.#running.delete(place);
        if (code !== 0 && !client.isEnding) this.unexpectedExits.push(`${name}: ${signal ?? `exit code ${code}`}`);
        resolve();
      });
    });
    const client: ClientProcess = { name, child, exited, isEnding: false };
    this.#running.set(place, client);
  }

  freeze(place: string, isFrozen: boolean): void {
    this.#running.get(place)?.child.kill(isFrozen ? 'SIGSTOP' : 'SIGCONT');
  }

  async kill(place: string): Promise<void> {
    const client = this.#running.get(place);
    if (client === undefined) return;
    client.isEnding = true;
    client.child.kill('SIGKILL');
    await client.exited;
  }

  async killAll(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#options.places.map((place) => this.kill(place)));
  }

  /**
   * Lets each finish what it is doing.
   * @returns the processes that did not come to an end in time; they are killed.
   */
  async finish(limitMs: number): Promise<string[]> {
    this.#isOver = true;
    const clients = [...this.#running.values()];
    for (const client of clients) {
      client.isEnding = true;
      client.child.kill('SIGTERM');
    }
    let timer: NodeJS.Timeout | undefined;
    const timeUp = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, limitMs);
    });
    await Promise.race([Promise.all(clients.map(({ exited }) => exited)), timeUp]);
    clearTimeout(timer);
    const hanging = [...this.#running.values()].map(({ name }) => name);
    await this.killAll();
    return hanging;
  }
}
