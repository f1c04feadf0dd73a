/** What a server was told on its command line, in its file and in its environment. */
import type { z } from 'zod';
import { loadConfig } from './load.ts';
import { type ChunkserverSettings, chunkserverSchema, type MasterSettings, masterSchema } from './schema.ts';

export interface ServerFlags {
  /** A TOML or YAML file. */
  readonly config?: string;
  /** Key → value, above file and environment. */
  readonly set: Readonly<Record<string, string>>;
}

export function masterSettings(flags: ServerFlags): MasterSettings {
  return settings(masterSchema, flags);
}

export function chunkserverSettings(flags: ServerFlags): ChunkserverSettings {
  return settings(chunkserverSchema, flags);
}

function settings<Schema extends z.ZodObject>(schema: Schema, flags: ServerFlags): z.output<Schema> {
  return loadConfig(schema, { file: flags.config, environment: process.env, flags: flags.set });
}
