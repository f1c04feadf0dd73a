/**
 * A cluster of real processes in a temporary folder: every server is a `cairn master` or `cairn chunkserver` of its own,
 * which a test may kill, freeze, start again, or whose files it may damage. Nothing is left behind: processes end with
 * the test, the folder goes with it.
 */
import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePorts } from './free-ports.ts';
import { ON_LOOPBACK, type Placement } from './placement.ts';

const LAUNCHER = fileURLToPath(new URL('../../../packages/cli/bin/cairn.js', import.meta.url));
const READY_TIMEOUT_MS = 60_000;
const POLL_MS = 50;

export interface ClusterOptions {
  chunkservers?: number;
  /** Addresses of the admin ports; without them these are off. */
  admin?: { master: string; chunkservers: readonly string[] };
  /** Further keys of every master's or chunkserver's configuration, as TOML values. */
  master?: Record<string, string>;
  chunkserver?: Record<string, string>;
  /** An empty folder of its own, which `close` removes. @default a temporary one */
  directory?: string;
  /** @default on the loopback address */
  placement?: Placement;
}

/** A server that ended although nobody ended it. */
export interface UnexpectedExit {
  name: string;
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface CommandResult {
  exitCode: number;
  stdout: Buffer;
  stderr: string;
}

export interface ProcessMemory {
  residentBytes: number;
  /** Without pages of files, which the kernel takes back when it needs them. */
  ownBytes: number;
}

interface Server {
  name: string;
  configPath: string;
  logPath: string;
  process: ChildProcess | undefined;
  /** It was told to end. */
  isEnding: boolean;
}

export class TestCluster {
  readonly directory: string;
  readonly masterAddress: string;
  readonly unexpectedExits: UnexpectedExit[] = [];
  readonly #servers = new Map<string, Server>();
  readonly #placement: Placement;

  private constructor(directory: string, masterAddress: string, placement: Placement) {
    this.directory = directory;
    this.masterAddress = masterAddress;
    this.#placement = placement;
  }

  /** Starts everything and waits until writes work. */
  static async start(options: ClusterOptions = {}): Promise<TestCluster> {
    const count = options.chunkservers ?? 3;
    const directory = options.directory ?? mkdtempSync(join(tmpdir(), 'cairn-test-'));
    const placement = options.placement ?? ON_LOOPBACK;
    const [masterPort, ...ports] = await freePorts(count + 1);
    const cluster = new TestCluster(directory, `${placement.hostOf('master')}:${masterPort}`, placement);
    cluster.#define('master', {
      listen: quote(cluster.masterAddress),
      data: quote(join(directory, 'master')),
      admin_listen: quote(options.admin?.master ?? 'off'),
      ...options.master,
    });
    ports.forEach((port, index) => {
      const name = `chunkserver-${index + 1}`;
      cluster.#define(name, {
        listen: quote(`${placement.hostOf(name)}:${port}`),
        masters: `[${quote(cluster.masterAddress)}]`,
        disks: `[${quote(join(directory, name))}]`,
        host: quote(`host-${index + 1}`),
        admin_listen: quote(options.admin?.chunkservers[index] ?? 'off'),
        ...options.chunkserver,
      });
    });
    try {
      for (const name of cluster.serverNames) cluster.launch(name);
      await cluster.#untilStarted(count);
    } catch (error) {
      await cluster.close();
      throw error;
    }
    return cluster;
  }

  get serverNames(): string[] {
    return [...this.#servers.keys()];
  }

  get chunkserverNames(): string[] {
    return this.serverNames.filter((name) => name !== 'master');
  }

  dataDirectory(name: string): string {
    return join(this.directory, name);
  }

  log(name: string): string {
    return readFileSync(this.#server(name).logPath, 'utf8');
  }

  launch(name: string): void {
    const server = this.#server(name);
    if (server.process !== undefined) throw new Error(`${name} is already running`);
    const log = openSync(server.logPath, 'a');
    const role = name === 'master' ? 'master' : 'chunkserver';
    const { command, args } = this.#placement.place(name, [
      process.execPath,
      LAUNCHER,
      role,
      '--config',
      server.configPath,
    ]);
    const child = spawn(command, args, {
      stdio: ['pipe', log, log],
      env: { ...process.env, CAIRN_SUPERVISED: '1' }, // ends with this process, whatever happens to it
    });
    closeSync(log);
    server.process = child;
    server.isEnding = false;
    child.once('exit', (code, signal) => {
      if (server.process === child) server.process = undefined;
      if (!server.isEnding) this.unexpectedExits.push({ name, code, signal });
    });
  }

  isRunning(name: string): boolean {
    return this.#server(name).process !== undefined;
  }

  /** What the server's process holds in memory. */
  memoryOf(name: string): ProcessMemory {
    const pid = this.#server(name).process?.pid;
    if (pid === undefined) throw new Error(`${name} does not run`);
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const bytes = (key: string) => Number(new RegExp(`^${key}:\\s+([0-9]+) kB`, 'm').exec(status)?.[1]) * 1024;
    return { residentBytes: bytes('VmRSS'), ownBytes: bytes('RssAnon') };
  }

  /** Resolves when the process is gone. */
  async signal(name: string, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const server = this.#server(name);
    const child = server.process;
    if (child === undefined) return;
    server.isEnding = true;
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill(signal);
    await exited;
  }

  /** SIGSTOP or SIGCONT. */
  freeze(name: string, frozen: boolean): void {
    this.#server(name).process?.kill(frozen ? 'SIGSTOP' : 'SIGCONT');
  }

  async killAll(): Promise<void> {
    await Promise.all(this.serverNames.map((name) => this.signal(name, 'SIGKILL')));
  }

  async stopAll(): Promise<void> {
    await Promise.all(this.serverNames.map((name) => this.signal(name, 'SIGTERM')));
  }

  launchAll(): void {
    for (const name of this.serverNames) if (!this.isRunning(name)) this.launch(name);
  }

  /** Waits for an exit the test expects; answers the exit code. */
  async untilExit(name: string, timeoutMs = 30_000): Promise<number | null> {
    const child = this.#server(name).process;
    if (child === undefined) return null;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${name} still runs after ${timeoutMs} ms`)), timeoutMs);
      child.once('exit', (code) => {
        clearTimeout(timer);
        resolve(code);
      });
    });
  }

  /** Starts `cairn` against this cluster, for tests that read its output or signal it while it runs. */
  spawnCairn(args: readonly string[]): ChildProcessWithoutNullStreams {
    const placed = this.#placement.place('admin', [process.execPath, LAUNCHER, ...args]);
    return spawn(placed.command, placed.args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, CAIRN_MASTER: this.masterAddress },
    });
  }

  /** Runs `cairn` against this cluster. */
  async cairn(
    args: readonly string[],
    options: { input?: Buffer | string; timeoutMs?: number } = {},
  ): Promise<CommandResult> {
    const child = this.spawnCairn(args);
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    child.stdin.on('error', () => undefined); // a command that does not read its input closes it
    child.stdin.end(options.input ?? '');
    const timer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? 120_000);
    const exitCode = await new Promise<number>((resolve) => child.once('close', (code) => resolve(code ?? -1)));
    clearTimeout(timer);
    return { exitCode, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString() };
  }

  /** As `cairn`, and fails the test unless it exits 0. */
  async run(args: readonly string[], options: { input?: Buffer | string; timeoutMs?: number } = {}): Promise<Buffer> {
    const result = await this.cairn(args, options);
    if (result.exitCode !== 0) {
      throw new Error(`cairn ${args.join(' ')}: exit ${result.exitCode}: ${result.stderr}\n${this.#logTails()}`);
    }
    return result.stdout;
  }

  /** Waits until writes work and, when given, `count` chunkservers are live. */
  async untilWritable(count = 1): Promise<void> {
    await this.until(`writable with ${count} chunkservers`, () => this.#isWritable(count));
  }

  async #isWritable(count: number): Promise<boolean> {
    const result = await this.cairn(['status', '--json', '--timeout', '5s']);
    if (result.exitCode !== 0) return false;
    const status = JSON.parse(result.stdout.toString()) as { writable: boolean; servers: { live: boolean }[] };
    return status.writable && status.servers.filter((server) => server.live).length >= count;
  }

  /** As `untilWritable`, and at once an error when a server ended instead. */
  async #untilStarted(count: number): Promise<void> {
    await this.until(`started with ${count} chunkservers`, () => {
      const [exit] = this.unexpectedExits;
      if (exit === undefined) return this.#isWritable(count);
      throw new Error(`${exit.name} ended at its start, exit code ${exit.code}\n${this.#logTails()}`);
    });
  }

  async until(what: string, condition: () => Promise<boolean>, timeoutMs = READY_TIMEOUT_MS): Promise<void> {
    const giveUpAtMs = performance.now() + timeoutMs;
    for (;;) {
      const askedAtMs = performance.now();
      if (await condition()) return;
      const answeredAtMs = performance.now();
      if (answeredAtMs > giveUpAtMs) throw new Error(`not ${what} within ${timeoutMs} ms\n${this.#logTails()}`);
      // Asking may be a process of its own: half of the time is left to those who are waited for.
      const pauseMs = Math.max(POLL_MS, answeredAtMs - askedAtMs);
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }

  /** Ends every process and removes the folder. */
  async close(): Promise<void> {
    await this.killAll();
    rmSync(this.directory, { recursive: true, force: true });
  }

  #define(name: string, config: Record<string, string>): void {
    mkdirSync(this.directory, { recursive: true });
    const configPath = join(this.directory, `${name}.toml`);
    const lines = Object.entries(config).map(([key, value]) => `${key} = ${value}\n`);
    writeFileSync(configPath, lines.join(''));
    this.#servers.set(name, {
      name,
      configPath,
      logPath: join(this.directory, `${name}.log`),
      process: undefined,
      isEnding: false,
    });
  }

  #server(name: string): Server {
    const server = this.#servers.get(name);
    if (server === undefined) throw new Error(`no server ${name}: one of ${this.serverNames.join(', ')}`);
    return server;
  }

  #logTails(): string {
    return this.serverNames.map((name) => `--- ${name}\n${this.log(name).slice(-2000)}`).join('\n');
  }
}

function quote(text: string): string {
  return JSON.stringify(text);
}
