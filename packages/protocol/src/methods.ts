/**
 * The methods of the framed protocol and their numbers on the wire. A number is never reused; a method that goes leaves
 * its number behind. gRPC uses the same definitions by name.
 */
import { ChunkserverDataDefinition as Data, ChunkserverPeerDefinition as Peer } from './gen/cairn/v1/chunkserver.ts';
import {
  ChunkserverControlDefinition as ChunkserverControl,
  MasterControlDefinition as MasterControl,
} from './gen/cairn/v1/control.ts';
import { MasterDefinition as Master } from './gen/cairn/v1/master.ts';
import type { Codec, Method } from './rpc/types.ts';

type UnaryMethod<Q, S> = Method<Q, S> & { readonly stream: 'none' };
type StreamMethod<Q, S> = Method<Q, S> & { readonly stream: 'server' };
type Definition<Q, S> = { readonly name: string; readonly requestType: Codec<Q>; readonly responseType: Codec<S> };

function unary<Q, S>(id: number, service: string, definition: Definition<Q, S>): UnaryMethod<Q, S> {
  return {
    id,
    name: `${service}.${definition.name}`,
    stream: 'none',
    request: definition.requestType,
    response: definition.responseType,
  };
}

function serverStream<Q, S>(id: number, service: string, definition: Definition<Q, S>): StreamMethod<Q, S> {
  return { ...unary(id, service, definition), stream: 'server' };
}

export const MasterMethods = {
  stat: unary(1, 'Master', Master.methods.stat),
  list: unary(2, 'Master', Master.methods.list),
  makeDirectory: unary(3, 'Master', Master.methods.makeDirectory),
  create: unary(4, 'Master', Master.methods.create),
  rename: unary(5, 'Master', Master.methods.rename),
  delete: unary(6, 'Master', Master.methods.delete),
  setAttributes: unary(7, 'Master', Master.methods.setAttributes),
  truncate: unary(8, 'Master', Master.methods.truncate),
  locate: unary(9, 'Master', Master.methods.locate),
  openExtent: unary(10, 'Master', Master.methods.openExtent),
  beginUpload: unary(11, 'Master', Master.methods.beginUpload),
  extendUpload: unary(12, 'Master', Master.methods.extendUpload),
  confirmUpload: unary(13, 'Master', Master.methods.confirmUpload),
  abortUpload: unary(14, 'Master', Master.methods.abortUpload),
  getClusterStatus: unary(15, 'Master', Master.methods.getClusterStatus),
  getClusterPressure: unary(16, 'Master', Master.methods.getClusterPressure),
  check: unary(17, 'Master', Master.methods.check),
  forgetServer: unary(18, 'Master', Master.methods.forgetServer),
} as const;

export const MasterControlMethods = {
  register: unary(64, 'MasterControl', MasterControl.methods.register),
  heartbeat: unary(65, 'MasterControl', MasterControl.methods.heartbeat),
  reportInventory: unary(66, 'MasterControl', MasterControl.methods.reportInventory),
  acquireLeases: unary(67, 'MasterControl', MasterControl.methods.acquireLeases),
  releaseLeases: unary(68, 'MasterControl', MasterControl.methods.releaseLeases),
  reportFailedMembers: unary(69, 'MasterControl', MasterControl.methods.reportFailedMembers),
} as const;

export const ChunkserverDataMethods = {
  uploadFrame: unary(128, 'ChunkserverData', Data.methods.uploadFrame),
  mutateChunk: unary(129, 'ChunkserverData', Data.methods.mutateChunk),
  readChunk: unary(130, 'ChunkserverData', Data.methods.readChunk),
  getChunkLength: unary(131, 'ChunkserverData', Data.methods.getChunkLength),
} as const;

export const ChunkserverPeerMethods = {
  stageMutation: unary(160, 'ChunkserverPeer', Peer.methods.stageMutation),
  commit: unary(161, 'ChunkserverPeer', Peer.methods.commit),
  getCommitPoint: unary(162, 'ChunkserverPeer', Peer.methods.getCommitPoint),
  installView: unary(163, 'ChunkserverPeer', Peer.methods.installView),
  fetchReplica: serverStream(164, 'ChunkserverPeer', Peer.methods.fetchReplica),
} as const;

export const ChunkserverControlMethods = {
  prepareView: unary(192, 'ChunkserverControl', ChunkserverControl.methods.prepareView),
  revokeLease: unary(193, 'ChunkserverControl', ChunkserverControl.methods.revokeLease),
  cloneReplica: unary(194, 'ChunkserverControl', ChunkserverControl.methods.cloneReplica),
  describeReplicas: unary(195, 'ChunkserverControl', ChunkserverControl.methods.describeReplicas),
} as const;
