export {
  CairnClient,
  type CheckPage,
  type ClusterPressure,
  type ClusterStatus,
  createClient,
  type LocatedChunk,
  type LocatedReplica,
} from './client.ts';
export { CairnError } from './errors.ts';
export type { WriteFileOptions } from './file-calls.ts';
export { FileHandle } from './file-handle.ts';
export type { ListPage } from './namespace-calls.ts';
export type { CallOptions, ClientOptions, ClientSeams, Retry } from './options.ts';
export { DirectoryEntry, Stats } from './stats.ts';
export type { Content, ContentPiece } from './write/content.ts';
export type { UploadOptions } from './write/upload.ts';
