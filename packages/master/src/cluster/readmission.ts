/**
 * The way back of a server without which views changed, as far as no list says which (views/departures.ts). It is in touch
 * and gets no lease. Each part of its inventory is compared with the log; every replica that would serve an old version is
 * told to promise that it left; when the inventory is whole and every promise was answered, that is logged, and the lease
 * comes with the next heartbeat.
 *
 * The promise takes nothing away, so it needs no end of safe mode, and safe mode does not wait for it: an inventory counts
 * when it is reported. Whether the replica goes to quarantine is judged apart from this (replica-reports.ts).
 */
import { FsError, toError } from '@cairnfs/base';
import { ReplicaCondition as Condition, type ReplicaReport } from '@cairnfs/protocol';
import type { MasterContext } from '../context.ts';
import { type Chunk, ChunkState } from '../gen/cairn/master/v1/state.ts';
import type { Departures } from '../views/departures.ts';
import { disksInService, hasLostDisk, type ServerEntry, type ServerTable } from './server-table.ts';

export class Readmission {
  readonly #context: MasterContext;
  readonly #servers: ServerTable;
  readonly #departures: Departures;
  /** Servers that are being told. */
  readonly #running = new Set<number>();

  constructor(context: MasterContext, parts: { servers: ServerTable; departures: Departures }) {
    this.#context = context;
    this.#servers = parts.servers;
    this.#departures = parts.departures;
  }

  /** @throws FsError OVERLOADED  too many promises are awaited; those given so far need not be given again. */
  checkRoom(server: ServerEntry): void {
    const count = this.#departures.count(server.id);
    if (server.mayServe || count < this.#context.config.bounds.fencesWaitingMax) return;
    const message = `server ${server.id} has yet to promise that it left the views of ${count} chunks`;
    throw new FsError('OVERLOADED', `${message}: send the inventory again later`, { details: { count } });
  }

  /** A part of the inventory of a server without a lease. */
  compare(server: ServerEntry, replicas: readonly ReplicaReport[]): void {
    const { decisions, plans } = this.#context;
    const transaction = decisions.read();
    for (const report of replicas) {
      const newVersion = fenceOf(server.id, plans.chunk(transaction, report.handle), report);
      if (newVersion === undefined) continue;
      this.#departures.add(server.id, report.handle, { oldVersion: report.version, newVersion });
    }
  }

  /** Goes on with a server without a lease, if nothing is under way with it. */
  advance(server: ServerEntry): void {
    if (this.#running.has(server.id)) return;
    this.#running.add(server.id);
    this.#readmit(server, server.session)
      .catch((error: unknown) => {
        if (!(error instanceof FsError)) this.#context.seams.fatal(toError(error));
        // Its next heartbeat tries again.
        else this.#context.seams.log.info('a server gets no lease yet', { server: server.id, error });
      })
      .finally(() => this.#running.delete(server.id));
  }

  async #readmit(server: ServerEntry, session: number): Promise<void> {
    await this.#departures.settle(server.id, server.address, () => {
      // It is not told again before it registers with the disk that holds it.
      if (server.session === session) server.mayHideReplicas = true;
    });
    const isReady = await this.#context.decisions.perform('serverReadmitted', (transaction) => {
      // A server that was silent for so long begins anew: views may just be changing without it.
      const isSame = server.session === session && !this.#servers.hasRunOut(server.id);
      if (!isSame || !server.inventoryComplete) return false;
      this.#departures.checkSettled(server.id);
      // It serves what it has shown. What it could not show it shows before its next lease: the mark stays for that.
      if (server.mayHideReplicas || hasLostDisk(server.disks)) return true;
      this.#departures.listed(server.id);
      const record = transaction.server(server.id)!;
      const readmitted = { ...record, changedWhileAway: false, diskIds: disksInService(server.disks) };
      if (record.changedWhileAway) transaction.putServer(server.id, readmitted);
      return true;
    });
    if (!isReady || server.session !== session) return;
    this.#servers.admitted(server);
    this.#context.seams.log.info('a server that missed changes of views may serve again', { server: server.id });
  }
}

/**
 * The version by whose promise the replica serves nothing old any more; undefined when it does not as it is. What it has
 * promised or installed, it refuses everything below.
 */
function fenceOf(server: number, chunk: Readonly<Chunk> | undefined, report: ReplicaReport): number | undefined {
  if (report.condition === Condition.REPLICA_CONDITION_GONE || report.removed) return undefined;
  const promised = Math.max(report.version, report.pendingVersion);
  if (chunk === undefined) return promised + 1;
  if (chunk.state === ChunkState.CHUNK_STATE_UPLOADING) return undefined; // no version before its first
  // A member's copy counts as soon as it is at the version; where nobody lists it, no version is left for it to serve.
  const wanted = chunk.members.includes(server) ? chunk.version : chunk.highestVersion;
  return promised < wanted ? wanted : undefined;
}
