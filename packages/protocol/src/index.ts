export { checkChunkBytes, readChunkBytes, recordBytesMax, writeChunkBytes } from './chunk-bytes.ts';
export * from './gen/cairn/v1/chunkserver.ts';
export * from './gen/cairn/v1/common.ts';
export * from './gen/cairn/v1/control.ts';
export * from './gen/cairn/v1/master.ts';
export {
  type ChunkHandle,
  type ChunkVersion,
  checkChunkHandle,
  checkChunkVersion,
  checkServerId,
  type ServerId,
} from './ids.ts';
export * from './limits.ts';
export * from './methods.ts';
export { checkName, checkPath } from './paths.ts';
export { PlainReplicas, packReplicas } from './plain-replicas.ts';
export type { AnswerShare } from './rpc/answer-room.ts';
export { BufferPool } from './rpc/buffer-pool.ts';
export { CallRoom } from './rpc/call-room.ts';
export type { ChunkStreams } from './rpc/chunk-streams.ts';
export { dataPart, verifyData } from './rpc/data-part.ts';
export { fromErrorDetail, toErrorDetail } from './rpc/error-detail.ts';
export {
  emptyFrameHeader,
  FRAME_HEADER_BYTES,
  FrameKind,
  PREFACE,
  parseFrameHeader,
} from './rpc/frame.ts';
export { DURATION_BUCKETS_MS, type MethodStatistics } from './rpc/method-table.ts';
export * from './rpc/pooled-bytes.ts';
export { createRpcPool, type RpcPoolOptions } from './rpc/rpc-pool.ts';
export {
  createRpcServer,
  RpcServer,
  type RpcServerLimits,
  type RpcServerOptions,
  type RpcStatistics,
} from './rpc/rpc-server.ts';
export * from './rpc/types.ts';
export { UntakenLooks } from './rpc/untaken-looks.ts';
export { decodeMessage, encodeMessage } from './rpc/wire.ts';
export { closedUnheard, isClosedUnheard, otherKindOfServer } from './rpc/wrong-peer.ts';
