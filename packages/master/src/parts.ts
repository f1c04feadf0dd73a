/** The parts of a master that look after chunkservers and chunks, put together. */
import { MasterControlMethods, MasterMethods, type RpcRouter, type RpcServer } from '@cairnfs/protocol';
import { DeadServers } from './cluster/dead-servers.ts';
import { Heartbeats } from './cluster/heartbeat.ts';
import { Problems } from './cluster/problems.ts';
import { Readmission } from './cluster/readmission.ts';
import { Registration } from './cluster/registration.ts';
import { ReplicaConditions } from './cluster/replica-conditions.ts';
import { ReplicaReports } from './cluster/replica-reports.ts';
import { ServerTable } from './cluster/server-table.ts';
import { type MasterStatistics, readStatistics } from './cluster/statistics.ts';
import { type MasterHealth, StatusCalls } from './cluster/status.ts';
import { UnshownReplicas } from './cluster/unshown-replicas.ts';
import type { Cluster, MasterContext, MasterParts } from './context.ts';
import { withRoom } from './large-answers.ts';
import { SERVER_STATUS_BYTES } from './limits.ts';
import { ClusterPlacement } from './policy/cluster-placement.ts';
import { GarbageCollection } from './policy/garbage.ts';
import { Repair } from './policy/repair.ts';
import { StartSafeMode } from './policy/start-safe-mode.ts';
import { META } from './state/keys.ts';
import { ClusterViews } from './views/cluster-views.ts';
import { Departures } from './views/departures.ts';
import { LeaseCalls } from './views/lease-calls.ts';
import { LeaseTable } from './views/lease-table.ts';
import { ViewRecovery } from './views/recovery.ts';
import { ViewChanges } from './views/view-change.ts';

export interface RunningParts extends MasterParts {
  health(): MasterHealth;
  statistics(rpc: RpcServer): MasterStatistics;
  register(rpc: RpcRouter): void;
  start(): void;
  stop(): Promise<void>;
}

export function createParts(context: MasterContext): RunningParts {
  const { clock } = context.seams;
  const servers = new ServerTable(context);
  const conditions = new ReplicaConditions(context.config.bounds.exceptionsMax);
  const problems = new Problems(clock);
  const safeMode = new StartSafeMode(context, servers);
  const reports = new ReplicaReports(context, { conditions, problems, safeMode });
  const unshown = new UnshownReplicas(context, { servers, conditions, safeMode, reports });
  const placement = new ClusterPlacement(context, servers);
  const { incarnation, config } = context;
  const leases = new LeaseTable(clock, { durationMs: config.chunkLeaseMs + config.leaseMarginMs, incarnation });
  const departures = new Departures(context);
  const changes = new ViewChanges(context, { servers, conditions, leases, departures, safeMode });
  changes.onLeft = (server, handle, version) =>
    reports.order(server, { handle, versionAtMost: version, reason: 'surplus' });
  const views = new ClusterViews(context, { servers, conditions, leases, changes });
  const leaseCalls = new LeaseCalls(context, { servers, conditions, leases, changes });
  const readmission = new Readmission(context, { servers, departures });
  const heartbeats = new Heartbeats(context, { servers, reports, leases: leaseCalls, readmission });
  const registration = new Registration(context, servers, departures);
  const recovery = new ViewRecovery(context, { servers, leases, changes, views, unshown });
  const repair = new Repair(context, { servers, conditions, reports, problems, placement, safeMode, changes, views });
  const garbage = new GarbageCollection(context, { servers, reports, departures, safeMode });
  const repairStatus = () => repair.status(context.decisions.read().counter(META.garbageCount));
  const status = new StatusCalls(context, { servers, problems, safeMode, repair: repairStatus });
  const dead = new DeadServers(context, servers);
  dead.onForgotten = (server) => {
    reports.forget(server);
    departures.forget(server);
  };
  const cluster: Cluster = {
    address: (server) => servers.get(server)?.address ?? '',
    isLive: (server) => servers.isLive(server),
    replica: (server, handle) => {
      const condition = conditions.get(server, handle);
      if (condition !== undefined) return condition;
      const isTold = conditions.isTold(server, handle) && !conditions.isUnshown(server, handle);
      return isTold && servers.isShown(server, handle) && servers.isLive(server) ? 'live' : 'unreachable';
    },
  };
  return {
    placement,
    cluster,
    views,
    safeMode,
    health: () => status.health(),
    statistics: (rpc) => readStatistics(context, { servers, leases, repair, health: () => status.health() }, rpc),
    register(rpc) {
      rpc.handle(MasterControlMethods.register, (request) => registration.register(request));
      rpc.handle(MasterControlMethods.heartbeat, (request) => heartbeats.heartbeat(request));
      rpc.handle(MasterControlMethods.reportInventory, (request) => heartbeats.inventory(request));
      rpc.handle(MasterControlMethods.acquireLeases, (request) => leaseCalls.acquire(request));
      rpc.handle(MasterControlMethods.releaseLeases, (request) => leaseCalls.release(request));
      rpc.handle(MasterControlMethods.reportFailedMembers, (request) => leaseCalls.reportFailed(request));
      const bytesOfStatus = () => servers.count * SERVER_STATUS_BYTES;
      rpc.handle(
        MasterMethods.getClusterStatus,
        withRoom(bytesOfStatus, () => status.status()),
      );
      rpc.handle(MasterMethods.getClusterPressure, () => status.pressure());
      rpc.handle(MasterMethods.forgetServer, (request) => dead.forget(request));
    },
    start() {
      recovery.start();
      repair.start();
      garbage.start();
      dead.start();
    },
    async stop() {
      recovery.stop();
      repair.stop();
      await garbage.stop();
      await dead.stop();
    },
  };
}
