/** Heartbeat and ReportInventory: a chunkserver in touch. */
import { FsError } from '@cairnfs/base';
import type { HeartbeatReply, HeartbeatRequest, ReportInventoryReply, ReportInventoryRequest } from '@cairnfs/protocol';
import type { MasterContext } from '../context.ts';
import {
  INVENTORY_AGE_MS_MAX,
  INVENTORY_PART_MS_MAX,
  INVENTORY_TURN_MS,
  INVENTORY_TURNS,
  UPLOAD_LEASES_UNTIL_LOST,
} from '../limits.ts';
import type { Readmission } from './readmission.ts';
import type { ReplicaReports } from './replica-reports.ts';
import type { ServerEntry, ServerTable } from './server-table.ts';

/** The leases' half of a heartbeat (views/). */
export interface LeaseRenewals {
  /** Renews what may be renewed, each under its grant; answers those handles. */
  renew(server: number, handles: readonly string[], grants: readonly number[]): string[];
}

export class Heartbeats {
  readonly #context: MasterContext;
  readonly #servers: ServerTable;
  readonly #reports: ReplicaReports;
  readonly #leases: LeaseRenewals;
  readonly #readmission: Readmission;

  constructor(
    context: MasterContext,
    parts: { servers: ServerTable; reports: ReplicaReports; leases: LeaseRenewals; readmission: Readmission },
  ) {
    this.#context = context;
    this.#readmission = parts.readmission;
    this.#servers = parts.servers;
    this.#reports = parts.reports;
    this.#leases = parts.leases;
  }

  heartbeat(request: HeartbeatRequest): { message: HeartbeatReply } {
    this.#servers.noteTime();
    const server = checkSession(this.#servers, request);
    this.#servers.checkMayExtend(server.id);
    server.usage = request.usage;
    server.disks = request.disks;
    this.#reports.takeChanges(server, request.changes);
    const leaseWithheld = !server.mayServe;
    if (leaseWithheld) this.#readmission.advance(server);
    const { renewLeases, renewGrants } = request;
    const renewedLeases = leaseWithheld ? [] : this.#leases.renew(server.id, renewLeases, renewGrants);
    const quarantine = this.#reports.ordersFor(server);
    // The lease is counted from here: what leaves later can only be counted shorter by the server, which counts from its sending.
    server.answeredAtMs = this.#context.seams.clock.nowMs();
    const isLacking =
      !server.inventoryComplete || this.#reports.wantsInventory(server.id) || this.#isInventoryOld(server);
    const inventoryWanted = isLacking && !this.#isInventoryUnderWay(server);
    return { message: { renewedLeases, quarantine, inventoryWanted, leaseWithheld } };
  }

  /**
   * Nobody reports the replica that a late frame of an upload makes when the master has forgotten that, as it does with plans in
   * memory when it crashes. So all is shown once more when no client can have such a plan any more, and from time to time.
   */
  #isInventoryOld({ id, inventoryBegunAtMs }: ServerEntry): boolean {
    const { seams, config, startedAtMs } = this.#context;
    const nowMs = seams.clock.nowMs();
    const uploadsEndedAtMs = startedAtMs + UPLOAD_LEASES_UNTIL_LOST * config.uploadLeaseMs;
    const turnMs = (id % INVENTORY_TURNS) * INVENTORY_TURN_MS;
    if (inventoryBegunAtMs < uploadsEndedAtMs && nowMs >= uploadsEndedAtMs + turnMs) return true;
    return nowMs - inventoryBegunAtMs > INVENTORY_AGE_MS_MAX + turnMs;
  }

  #isInventoryUnderWay({ inventoryCursor, inventoryPartAtMs }: ServerEntry): boolean {
    return (
      inventoryCursor !== undefined && this.#context.seams.clock.nowMs() - inventoryPartAtMs < INVENTORY_PART_MS_MAX
    );
  }

  inventory(request: ReportInventoryRequest): { message: ReportInventoryReply } {
    const server = checkSession(this.#servers, request);
    this.#readmission.checkRoom(server);
    const unusual = this.#reports.takeInventory(server, request);
    if (!server.mayServe) {
      // A member at the chunk's version serves nothing old.
      this.#readmission.compare(server, unusual);
      this.#readmission.advance(server);
    }
    return { message: {} };
  }
}

/** @throws FsError STALE_SESSION  the server must register again. */
export function checkSession(
  servers: ServerTable,
  { serverId, session }: { serverId: number; session: number },
): ServerEntry {
  const server = servers.get(serverId);
  if (server === undefined || server.session !== session || session === 0) {
    throw staleSession(`session ${session} of server ${serverId} is not known to this master`);
  }
  // Once its lease has run out, views may have changed without it: it begins anew, and hears of them before it serves.
  if (servers.hasRunOut(serverId)) throw staleSession(`server ${serverId} was silent for longer than its lease`);
  if (servers.isReplacementOver(server)) {
    throw staleSession(`server ${serverId} counts as replaced, by one that is not at its address any more`);
  }
  return server;
}

function staleSession(reason: string): FsError {
  return new FsError('STALE_SESSION', `${reason}: register again`);
}
