/** Which part answers which call. */

import { FsError } from '@cairnfs/base';
import {
  ChunkserverControlMethods as Control,
  ChunkserverDataMethods as Data,
  ChunkserverPeerMethods as Peer,
  type RpcServer,
} from '@cairnfs/protocol';
import type { Clones } from '../clone/clones.ts';
import type { Mutations } from '../mutation/mutations.ts';
import type { Reads } from '../read/reads.ts';
import type { Replicas } from '../store/replicas.ts';
import type { Uploads } from '../upload/uploads.ts';
import { checkAddressee } from './addressee.ts';

export interface CallParts {
  readonly clones: Clones;
  readonly mutations: Mutations;
  readonly reads: Reads;
  readonly replicas: Replicas;
  readonly uploads: Uploads;
  serverId(): number;
}

export function registerCalls(rpc: RpcServer, parts: CallParts): void {
  const { clones, mutations, reads, replicas, uploads } = parts;
  const { primaries, secondaries } = mutations;
  rpc.handle(Data.uploadFrame, async (request, context) => {
    if (context.data === undefined) throw new FsError('INVALID_ARGUMENT', 'an upload frame came without data');
    return { message: await uploads.frame(request, context.data, context) };
  });
  rpc.handle(Data.readChunk, (request, context) => reads.read(request, context));
  rpc.handle(Data.mutateChunk, (request, context) => primaries.mutate(request, context));
  rpc.handle(Data.getChunkLength, (request) => primaries.getChunkLength(request));
  rpc.handle(Peer.stageMutation, (request, context) => secondaries.stage(request, context));
  rpc.handle(Peer.commit, (request) => secondaries.commit(request));
  rpc.handle(Peer.getCommitPoint, (request) => primaries.getCommitPoint(request));
  rpc.handle(Peer.installView, (request) => secondaries.installView(request));
  rpc.handleStream(Peer.fetchReplica, (request) => clones.send(request));
  rpc.handle(Control.prepareView, (request) => {
    clones.promised(request.handle, request.newVersion);
    return mutations.prepareView(request);
  });
  rpc.handle(Control.revokeLease, (request) => primaries.revokeLease(request));
  rpc.handle(Control.cloneReplica, (request, context) => clones.receive(request, context));
  rpc.handle(Control.describeReplicas, ({ handles, serverId }) => {
    // That a chunk is not here means much to the master: it may be the last word about a copy.
    if (serverId !== 0) checkAddressee('DescribeReplicas', serverId, parts.serverId());
    const found = handles.map((handle) => replicas.find(handle)).filter((replica) => replica !== undefined);
    return { message: { replicas: found.map((replica) => replicas.describe(replica)) } };
  });
}
