/**
 * One server of a local cluster, as a separate process: started, watched, started again when it dies, ended cleanly.
 * The child holds the read end of a pipe from us as its standard input and ends when that closes, so no server outlives
 * a supervisor that was killed.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, fstatSync, mkdirSync, openSync, readSync } from 'node:fs';
import { dirname } from 'node:path';
import { isFolderInUse } from '../failure.ts';

/** A server that keeps dying is started again after this long, doubled up to the maximum. */
const RESTART_DELAY_MS = 500;
const RESTART_DELAY_MS_MAX = 15_000;
/** A server that ran this long is healthy: its next restart is quick again. */
const HEALTHY_AFTER_MS = 30_000;
/** A clean end flushes the state store; after this long the server is killed. */
const STOP_TIMEOUT_MS = 20_000;
const LAST_WORDS_PREFIX = 'cairn: ';
const LAST_WORDS_BYTES_MAX = 16 * 1024;

export interface ServerProcessOptions {
  name: string;
  /** Arguments of `cairn`. */
  arguments: readonly string[];
  /** The launcher: `packages/cli/bin/cairn.js`. */
  launcher: string;
  logPath: string;
  /** Start it again when it dies by itself, unless another process uses its folder. */
  restart: boolean;
  onExit(exit: ServerExit): void;
}

export interface ServerExit {
  name: string;
  reason: string;
  /** The last line that the server itself wrote about it, if it did. */
  said: string | undefined;
  /** Another process uses its folder. */
  isInUse: boolean;
  /** Undefined: it is not started again. */
  restartInMs: number | undefined;
}

export class ServerProcess {
  readonly #options: ServerProcessOptions;
  #child: ChildProcess | undefined;
  #stopping = false;
  #logBytesAtStart = 0;
  #delayMs = RESTART_DELAY_MS;
  #restartTimer: NodeJS.Timeout | undefined;

  constructor(options: ServerProcessOptions) {
    this.#options = options;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** What keeps it from being started is told as its exit. */
  start(): void {
    const startedAtMs = performance.now();
    let child: ChildProcess;
    try {
      child = this.#spawn();
    } catch (error) {
      this.#exited(`could not be started: ${(error as Error).message}`, startedAtMs);
      return;
    }
    this.#child = child;
    // A child that is gone cannot read: the exit event tells, so the pipe's own error says nothing new.
    child.stdin?.on('error', () => undefined);
    child.once('error', (error) => this.#exited(`could not be started: ${error.message}`, startedAtMs));
    child.once('exit', (code, signal) => {
      this.#exited(signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`, startedAtMs);
    });
  }

  #spawn(): ChildProcess {
    const { logPath, launcher } = this.#options;
    // Somebody may have put the logs away.
    mkdirSync(dirname(logPath), { recursive: true });
    const log = openSync(logPath, 'a');
    try {
      this.#logBytesAtStart = fstatSync(log).size;
      return spawn(process.execPath, [launcher, ...this.#options.arguments], {
        stdio: ['pipe', log, log],
        env: { ...process.env, CAIRN_SUPERVISED: '1' },
      });
    } finally {
      closeSync(log);
    }
  }

  /** Ends the process cleanly, by force after a while; resolves when it is gone. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#restartTimer);
    const child = this.#child;
    if (child === undefined || child.pid === undefined) return;
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill('SIGTERM');
    const force = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await exited;
    clearTimeout(force);
  }

  #exited(reason: string, startedAtMs: number): void {
    this.#child = undefined;
    if (this.#stopping) return;
    if (performance.now() - startedAtMs > HEALTHY_AFTER_MS) this.#delayMs = RESTART_DELAY_MS;
    const said = lastWords(this.#options.logPath, this.#logBytesAtStart);
    const isInUse = said !== undefined && isFolderInUse(said);
    const restartInMs = this.#options.restart && !isInUse ? this.#delayMs : undefined;
    this.#options.onExit({ name: this.#options.name, reason, said, isInUse, restartInMs });
    if (restartInMs === undefined) return;
    this.#delayMs = Math.min(this.#delayMs * 2, RESTART_DELAY_MS_MAX);
    this.#restartTimer = setTimeout(() => this.start(), restartInMs);
  }
}

/** The line with which a server that fails ends: `cairn: ...`, between the JSON lines of its log. */
function lastWords(logPath: string, from: number): string | undefined {
  let log: number;
  try {
    log = openSync(logPath, 'r');
  } catch {
    // Removed, or out of reach: then nothing is known of what it said.
    return undefined;
  }
  try {
    const size = fstatSync(log).size;
    const start = Math.max(from, size - LAST_WORDS_BYTES_MAX);
    const bytes = Buffer.alloc(Math.max(0, size - start));
    const text = bytes.toString('utf8', 0, readSync(log, bytes, 0, bytes.length, start));
    const line = text.split('\n').findLast((candidate) => candidate.startsWith(LAST_WORDS_PREFIX));
    return line?.slice(LAST_WORDS_PREFIX.length).replace(/\.$/, '');
  } finally {
    closeSync(log);
  }
}
