/**
 * The directory of a local cluster: one configuration, one data folder and one log for each server.
 *
 *     DIR/master.toml         DIR/master/          DIR/logs/master.log
 *     DIR/chunkserver-1.toml  DIR/chunkserver-1/   DIR/logs/chunkserver-1.log
 *     DIR/up.lock             names the supervisor while it runs
 *
 * The configurations are written when missing and left alone afterwards, so a cluster keeps what its owner changed; the
 * ports come from the command line each time.
 */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { FsError } from '@cairnfs/base';
import { makeDirectory, RuntimeDisk } from '@cairnfs/runtime';
import { ADMIN_PORT_DISTANCE } from '../config/admin-listen.ts';

export interface ClusterLayout {
  directory: string;
  port: number;
  chunkserverCount: number;
}

export interface ServerLaunch {
  name: string;
  address: string;
  /** Where its /healthz and /metrics are. */
  admin: string;
  logPath: string;
  arguments: string[];
}

const HOST = '127.0.0.1';

const DIRECTORY_FAULTS: Readonly<Record<string, string>> = {
  ENOENT: 'its file system takes no directories or files (ENOENT)',
  EINVAL: 'its file system makes nothing durable (EINVAL)',
  EEXIST: 'a file is in its place (EEXIST)',
  ENOTDIR: 'a file is in its way (ENOTDIR)',
  EACCES: 'this user may not write there (EACCES)',
  EPERM: 'this user may not write there (EPERM)',
  EROFS: 'its file system can only be read (EROFS)',
  ENOSPC: 'no space is left there (ENOSPC)',
};

export function masterAddress(layout: ClusterLayout): string {
  return `${HOST}:${layout.port}`;
}

/**
 * Creates the directory and holds it for this supervisor.
 *
 * @throws DiskError EBUSY  another one runs on it.
 * @throws FsError INVALID_ARGUMENT  it cannot be made, or nothing can be written in it.
 */
export async function lockClusterDirectory(directory: string): Promise<{ release(): Promise<void> }> {
  try {
    await makeDirectory(directory);
    return await new RuntimeDisk().lock(join(directory, 'up.lock'));
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    if (code === 'EBUSY') throw error;
    const why = DIRECTORY_FAULTS[code] ?? message;
    throw new FsError('INVALID_ARGUMENT', `no cluster can be kept in '${directory}': ${why}: name another with --dir`, {
      cause: error,
    });
  }
}

/** How many chunkservers the directory has been used with: their data must not be left out by accident. */
export function existingChunkserverCount(directory: string): number {
  if (!existsSync(`${directory}/`)) return 0; // also where a file is in its place
  const numbers = readdirSync(directory).map((name) => Number(/^chunkserver-([0-9]+)\.toml$/.exec(name)?.[1] ?? 0));
  return Math.max(0, ...numbers);
}

/** Creates what is missing and answers how to launch each server, the master first. */
export function prepareClusterDirectory(layout: ClusterLayout): ServerLaunch[] {
  mkdirSync(join(layout.directory, 'logs'), { recursive: true });
  const master = prepareServer(layout, { name: 'master', role: 'master', port: layout.port, config: masterConfig() });
  const chunkservers = Array.from({ length: layout.chunkserverCount }, (_, index) =>
    prepareServer(layout, {
      name: `chunkserver-${index + 1}`,
      role: 'chunkserver',
      port: layout.port + 1 + index,
      config: chunkserverConfig(layout, index + 1),
    }),
  );
  return [master, ...chunkservers];
}

function prepareServer(
  layout: ClusterLayout,
  server: { name: string; role: 'master' | 'chunkserver'; port: number; config: string },
): ServerLaunch {
  const config = join(layout.directory, `${server.name}.toml`);
  if (!existsSync(config)) writeFileSync(config, server.config);
  const address = `${HOST}:${server.port}`;
  const admin = `${HOST}:${server.port + ADMIN_PORT_DISTANCE}`;
  const data = join(resolve(layout.directory), server.name);
  const set = [`listen=${address}`, `admin_listen=${admin}`];
  if (server.role === 'master') set.push(`data=${data}`);
  else set.push(`disks=[${JSON.stringify(data)}]`, `masters=[${JSON.stringify(masterAddress(layout))}]`);
  return {
    name: server.name,
    address,
    admin,
    logPath: join(layout.directory, 'logs', `${server.name}.log`),
    arguments: [server.role, '--config', config, ...set.flatMap((entry) => ['--set', entry])],
  };
}

function masterConfig(): string {
  return `# The master of a local cluster, written by "cairn up". Its address and data folder come from "up" itself;
# "cairn config example master" shows every key.
`;
}

/** Every server of a local cluster claims a host of its own, so that three copies go to three servers. */
function chunkserverConfig(layout: ClusterLayout, number: number): string {
  return `# Chunkserver ${number} of the local cluster in ${layout.directory}, written by "cairn up". Its address, disks and
# master come from "up" itself; "cairn config example chunkserver" shows every key.
host = "local-${number}"
rack = "local"
`;
}
