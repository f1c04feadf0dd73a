export { type AdminServer, type AdminServerOptions, startAdminServer } from './admin/admin-server.ts';
export { chunkserverFamilies } from './admin/chunkserver-metrics.ts';
export { chunkserverHealth, masterHealth, startingHealth } from './admin/health.ts';
export { masterFamilies } from './admin/master-metrics.ts';
export { ServerMetrics } from './admin/server-metrics.ts';
export { createGrpcServer, type GrpcServer, type GrpcServerOptions } from './grpc/grpc-server.ts';
export { createLog, type LogLevel, type LogOptions } from './log.ts';
export {
  createServerSeams,
  endHangingProcess,
  FATAL_EXIT_CODE,
  type ServerSeams,
  type ServerSeamsOptions,
} from './server-seams.ts';
export { openLmdbStateStore } from './state-store/lmdb-state-store.ts';
