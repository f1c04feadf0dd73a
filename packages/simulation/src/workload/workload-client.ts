/**
 * One client of a run: a host with the real SDK that works through its operations in order. When a fault ends its
 * process, the operation then under way stays open for ever, and the next process goes on with the one after it.
 */
import type { CairnClient } from '@cairnfs/client';
import type { CrashOptions, SimHost } from '@cairnfs/sim';
import type { SimulatedCluster } from '../cluster/simulated-cluster.ts';
import type { PlannedOperation } from '../schedule/schedule.ts';
import type { OperationRunner } from './operation-runner.ts';
import { fileCallOf, namespaceCallOf } from './perform.ts';

export interface WorkloadParts {
  readonly cluster: SimulatedCluster;
  readonly name: string;
  /** In order of time. */
  readonly operations: readonly PlannedOperation[];
  readonly runner: OperationRunner;
}

export interface OperationUnderWay {
  /** The process that asked. */
  readonly client: string;
  /** Its number in the history. */
  readonly id: number;
  readonly operation: PlannedOperation;
  readonly sinceMs: number;
}

export class WorkloadClient {
  readonly host: SimHost;
  underWay: OperationUnderWay | undefined;
  readonly #parts: WorkloadParts;
  readonly #startMs: number;
  #next = 0;
  /** Changes at each begin and end of a process. */
  #life = 0;
  #processCount = 0;
  #client: CairnClient | undefined;

  constructor(parts: WorkloadParts) {
    this.#parts = parts;
    this.#startMs = parts.cluster.simulation.nowMs;
    this.host = parts.cluster.simulation.host(parts.name);
  }

  get isDone(): boolean {
    return this.#next >= this.#parts.operations.length && this.underWay === undefined;
  }

  /** Begins a process that takes the operations from where the last one left off. */
  async start(): Promise<void> {
    this.#life += 1;
    this.#processCount += 1;
    void this.#work(this.#life, this.#processCount);
  }

  crash(options: CrashOptions): void {
    this.#life += 1;
    this.underWay = undefined;
    if (this.host.isRunning) this.host.crash(options);
  }

  async close(): Promise<void> {
    if (this.host.isRunning) await this.#client?.close();
  }

  async #work(life: number, processNumber: number): Promise<void> {
    const { cluster, name, operations } = this.#parts;
    const { simulation } = cluster;
    const client = cluster.client(name);
    this.#client = client;
    // Each process is a client of its own: it shares nothing with the one before.
    const clientName = processNumber === 1 ? name : `${name}.${processNumber}`;
    while (this.#next < operations.length) {
      const operation = operations[this.#next]!;
      const waitMs = this.#startMs + operation.atMs - simulation.nowMs;
      if (waitMs > 0) await simulation.clock.sleep(waitMs);
      if (life !== this.#life) return;
      this.#next += 1;
      await this.#perform(client, clientName, operation);
      if (life !== this.#life) return;
      this.underWay = undefined;
    }
  }

  async #perform(sdk: CairnClient, client: string, operation: PlannedOperation): Promise<void> {
    const { runner, cluster } = this.#parts;
    const { id: planned, call, timeoutMs } = operation;
    const begun = (id: number) => {
      this.underWay = { client, id, operation, sinceMs: cluster.simulation.nowMs };
    };
    const request = { client, planned, begun, timeoutMs };
    if (call.on === 'file') await runner.file(sdk, call.file, { ...request, call: fileCallOf(call.call, planned) });
    else await runner.names(sdk, call.subtree, { ...request, call: namespaceCallOf(call.call, planned) });
  }
}
