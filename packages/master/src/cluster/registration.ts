/** Register: a chunkserver joins the cluster, or comes back to it. */
import { assert, FsError } from '@cairnfs/base';
import { type RegisterReply, type RegisterRequest, writeChunkBytes } from '@cairnfs/protocol';
import type { MasterContext } from '../context.ts';
import type { Server } from '../gen/cairn/master/v1/state.ts';
import { SERVERS_MAX } from '../limits.ts';
import { META } from '../state/keys.ts';
import type { Transaction } from '../state/transaction.ts';
import type { Departures } from '../views/departures.ts';
import { disksInService, hasLostDisk, type ServerEntry, type ServerTable } from './server-table.ts';

export class Registration {
  readonly #context: MasterContext;
  readonly #servers: ServerTable;
  readonly #departures: Departures;

  constructor(context: MasterContext, servers: ServerTable, departures: Departures) {
    this.#context = context;
    this.#servers = servers;
    this.#departures = departures;
  }

  async register(request: RegisterRequest): Promise<{ message: RegisterReply }> {
    const { clusterId, config, decisions, seams } = this.#context;
    const { serverUuid: uuid, address, host, rack } = request;
    if (request.clusterId !== '' && request.clusterId !== clusterId) {
      const message =
        `the chunkserver at ${address} belongs to cluster ${request.clusterId}, this is cluster ${clusterId}: ` +
        'point it at its own master, or give it an empty folder';
      throw new FsError('CLUSTER_MISMATCH', message, { details: { expected: clusterId, actual: request.clusterId } });
    }
    const returning = this.#servers.byUuid(uuid);
    // The answer that told it its number never arrived. The master's calls name the server that they mean, so it would refuse
    // to be told anything: it gets its number now, and no lease before it was told (readmission.ts).
    const isUnnumbered = returning !== undefined && request.serverId === 0;
    if (returning !== undefined && !isUnnumbered) await this.#departures.settle(returning.id, address);
    let server: ServerEntry | undefined;
    await decisions.perform('serverRegistered', (transaction) => {
      const known = this.#servers.byUuid(uuid);
      if (known !== undefined) {
        this.#servers.checkMayExtend(known.id);
        if (!isUnnumbered) this.#departures.checkSettled(known.id);
      }
      const isUntold = isUnnumbered && known !== undefined && this.#departures.count(known.id) > 0;
      if (isUntold) this.#departures.concealed(known.id);
      // It was taken off the list since: nobody has told it what changed, and no list says what that is.
      const isForgotten = known === undefined && request.serverId !== 0 && this.#wasForgotten(transaction, request);
      if (known === undefined && request.serverId !== 0 && !isForgotten) {
        const message = `the chunkserver at ${address} says it is server ${request.serverId} of this cluster, which does not know it`;
        throw new FsError('CLUSTER_MISMATCH', message, { details: { serverId: request.serverId, uuid } });
      }
      const record = known === undefined ? undefined : transaction.server(known.id);
      const inService = disksInService(request.disks);
      const counted = record?.diskIds ?? [];
      // One that was away meanwhile: what changed was told to a server that could not find it there.
      const isBack = counted.length > 0 && inService.some((disk) => !counted.includes(disk));
      const isUnlisted = known !== undefined && this.#departures.isUnlisted(known.id);
      const hasMissed = isBack || isForgotten || isUntold || isUnlisted || (record?.changedWhileAway ?? false);
      if (isForgotten) this.#departures.concealed(request.serverId);
      if (known !== undefined && (isBack || (hasMissed && hasLostDisk(request.disks)))) {
        this.#departures.concealed(known.id);
      }
      // What it was told just now may be all that it missed; otherwise its inventory comes before its lease.
      const number = known?.id ?? (isForgotten ? request.serverId : undefined);
      const mayServe = !hasMissed || number === undefined || !this.#departures.isUnlisted(number);
      // The others count once they are compared.
      const isWithoutOne = counted.some((disk) => !inService.includes(disk)) || hasLostDisk(request.disks);
      const registered = { mayServe, hasLostDisk: isWithoutOne };
      const diskIds = mayServe ? inService : counted.filter((disk) => inService.includes(disk));
      const next = { uuid, address, host, rack, changedWhileAway: !mayServe, diskIds, deadSinceMs: 0 };
      if (known !== undefined && record !== undefined && isSameRecord(record, next)) {
        server = this.#servers.registered({ id: known.id, uuid, address, host, rack }, registered);
        return;
      }
      const id = number ?? transaction.counter(META.nextServer);
      if (known === undefined && this.#servers.count >= SERVERS_MAX) {
        const message = `the cluster has ${SERVERS_MAX} chunkservers, the most there may be: "cairn forget" takes dead ones off the list`;
        throw new FsError('OVERLOADED', message);
      }
      if (number === undefined) transaction.setCounter(META.nextServer, id + 1);
      transaction.putServer(id, next);
      // With the record, and not without it: a number that was not logged is given to another server. At once, so that a second
      // registration that comes before this one is durable finds it.
      transaction.afterAppend(() => {
        server = this.#servers.registered({ id, uuid, address, host, rack }, registered);
      });
    });
    assert(server !== undefined, () => `the registration of ${address} left no server`);
    // While that became durable its lease may have run out, and a view may have changed without it.
    if (server.mayServe) this.#departures.checkSettled(server.id);
    server.answeredAtMs = seams.clock.nowMs();
    server.disks = request.disks;
    seams.log.info('chunkserver registered', { id: server.id, address, session: server.session });
    return {
      message: {
        clusterId,
        serverId: server.id,
        session: server.session,
        heartbeatIntervalMs: config.heartbeatIntervalMs,
        serverLeaseMs: config.serverLeaseMs,
        chunkLeaseMs: config.chunkLeaseMs,
        chunkBytes: writeChunkBytes(config.chunkBytes),
        takesPlainReplicas: true,
      },
    };
  }

  /** Numbers are given once, and only a server that was forgotten has one without a record. */
  #wasForgotten(transaction: Transaction, { serverId }: RegisterRequest): boolean {
    return serverId < transaction.counter(META.nextServer) && transaction.server(serverId) === undefined;
  }
}

function isSameRecord(one: Server, other: Server): boolean {
  const isSamePlace = one.address === other.address && one.host === other.host && one.rack === other.rack;
  const isSameDisks = one.diskIds.join() === other.diskIds.join();
  return isSamePlace && isSameDisks && one.changedWhileAway === other.changedWhileAway && one.deadSinceMs === 0;
}
