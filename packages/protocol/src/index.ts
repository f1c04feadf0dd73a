export * from './gen/cairn/v1/chunkserver.ts';
export * from './gen/cairn/v1/common.ts';
export * from './gen/cairn/v1/control.ts';
export * from './gen/cairn/v1/master.ts';
export * from './limits.ts';
export * from './methods.ts';
export * from './rpc/pooled-bytes.ts';
export * from './rpc/types.ts';
