export { MASTER_BOUNDS, type MasterBounds } from './bounds.ts';
export type { MasterStatistics } from './cluster/statistics.ts';
export type { MasterHealth } from './cluster/status.ts';
export { MASTER_DEFAULTS, type MasterConfig } from './config.ts';
export { type Master, startMaster } from './master.ts';
