export { RuntimeClock } from './clock.ts';
export { RuntimeDisk } from './disk/runtime-disk.ts';
export { createGrpcServer, type GrpcServer, type GrpcServerOptions, type UnaryHandlers } from './grpc/grpc-server.ts';
export { openLmdbStateStore } from './lmdb-state-store.ts';
export { createLog, type LogLevel, type LogOptions } from './log.ts';
export { RuntimeMachine } from './machine.ts';
export { RuntimeNetwork, type SharedAccept } from './network/runtime-network.ts';
export { RuntimeRandom } from './random.ts';
export { createRuntimeSeams, FATAL_EXIT_CODE, type RuntimeOptions, type RuntimeSeams } from './runtime-seams.ts';
