export { CHUNKSERVER_BOUNDS, type ChunkserverBounds } from './bounds.ts';
export { type Chunkserver, startChunkserver } from './chunkserver.ts';
export { CHUNKSERVER_DEFAULTS, type ChunkserverConfig } from './config.ts';
export type { ChunkserverHealth } from './serve/health.ts';
export type { ChunkserverStatistics } from './serve/statistics.ts';
