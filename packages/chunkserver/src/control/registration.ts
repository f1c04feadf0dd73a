/** Who this server is to the cluster: registration with a master, and the session that names it. */
import { type Address, FsError } from '@cairnfs/base';
import { type DiskStatus, MasterControlMethods, type RegisterReply, readChunkBytes } from '@cairnfs/protocol';
import { MASTER_TIMEOUT_MS } from '../limits.ts';
import type { DiskStore } from '../store/disk-store.ts';
import type { MasterLink } from './master-link.ts';

export interface RegistrationOptions {
  readonly master: MasterLink;
  readonly stores: readonly DiskStore[];
  readonly address: Address;
  readonly host: string;
  readonly rack: string;
  readonly softwareVersion: string;
}

/** As the master answered, with the chunk size spelled out. */
export type Session = RegisterReply;

/**
 * Registers and, at first contact, writes down on every disk which cluster it belongs to.
 *
 * @throws FsError CLUSTER_MISMATCH  the disks belong to another cluster: nothing is served.
 */
export async function register(options: RegistrationOptions, disks: DiskStatus[]): Promise<Session> {
  const { master, stores, address, host, rack, softwareVersion } = options;
  const { serverUuid, clusterId, serverId } = identityOf(stores);
  const request = { serverUuid, clusterId, serverId, address, host, rack, disks, softwareVersion };
  const { message } = await master.call(MasterControlMethods.register, request, { timeoutMs: MASTER_TIMEOUT_MS });
  if ((clusterId !== '' && clusterId !== message.clusterId) || (serverId !== 0 && serverId !== message.serverId)) {
    throw new FsError(
      'CLUSTER_MISMATCH',
      `the master at ${master.address} is of cluster ${message.clusterId} and calls this server ${message.serverId}; its ` +
        `disks say cluster ${clusterId}, server ${serverId}: point it at its own master`,
      { details: { expected: clusterId, actual: message.clusterId } },
    );
  }
  for (const store of stores) {
    const { identity } = store;
    const isKnown = identity.clusterId === message.clusterId && identity.serverId === message.serverId;
    if (isKnown || store.failure !== undefined) continue;
    try {
      await store.writeIdentity(message);
    } catch (error) {
      throw store.fault(error);
    }
  }
  return { ...message, chunkBytes: readChunkBytes(message.chunkBytes) };
}

/**
 * What the disks say together.
 *
 * @throws FsError CLUSTER_MISMATCH  they belong to different servers or clusters.
 */
export function identityOf(stores: readonly DiskStore[]): { serverUuid: string; clusterId: string; serverId: number } {
  const known = stores.find(({ identity }) => identity.clusterId !== '') ?? stores[0]!;
  for (const { identity, directory } of stores) {
    const isFresh = identity.clusterId === '' && identity.serverId === 0;
    const isSame = identity.clusterId === known.identity.clusterId && identity.serverId === known.identity.serverId;
    if (identity.serverUuid === known.identity.serverUuid && (isFresh || isSame)) continue;
    throw new FsError(
      'CLUSTER_MISMATCH',
      `the disks ${known.directory} and ${directory} belong to different servers: start each server with its own disks`,
    );
  }
  return known.identity;
}
