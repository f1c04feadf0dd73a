/** What a server was told on its command line, in its file and in its environment. */
import { FsError, parseAddress } from '@cairnfs/base';
import type { z } from 'zod';
import { loadConfig } from './load.ts';
import { type ChunkserverSettings, chunkserverSchema, type MasterSettings, masterSchema } from './schema.ts';

const ANY_ADDRESS: readonly string[] = ['0.0.0.0', '::'];

export interface ServerFlags {
  /** A TOML or YAML file. */
  readonly config?: string;
  /** Key → value, above file and environment. */
  readonly set: Readonly<Record<string, string>>;
}

export function masterSettings(flags: ServerFlags): MasterSettings {
  return settings(masterSchema, flags);
}

/** @throws FsError INVALID_ARGUMENT  the address told to others leads every machine to itself. */
export function chunkserverSettings(flags: ServerFlags): ChunkserverSettings {
  const given = settings(chunkserverSchema, flags);
  const [key, told] = given.advertise === undefined ? ['listen', given.listen] : ['advertise', given.advertise];
  if (!ANY_ADDRESS.includes(parseAddress(told).host)) return given;
  throw new FsError(
    'INVALID_ARGUMENT',
    `${key} = "${told}" stands for every address of this machine: set advertise to the one that others reach`,
  );
}

function settings<Schema extends z.ZodObject>(schema: Schema, flags: ServerFlags): z.output<Schema> {
  return loadConfig(schema, { file: flags.config, environment: process.env, flags: flags.set });
}
