/** `cairn up`: a whole local cluster in the foreground, every server a process of its own. */
import { resolve } from 'node:path';
import { connect } from '@cairnfs/client/node';
import { ADMIN_PORT_DISTANCE } from '../config/admin-listen.ts';
import { counted } from '../output/units.ts';
import { aborted } from '../serve/lifetime.ts';
import {
  type ClusterLayout,
  existingChunkserverCount,
  lockClusterDirectory,
  masterAddress,
  prepareClusterDirectory,
  type ServerLaunch,
} from './cluster-directory.ts';
import { checkPortsFree } from './ports.ts';
import { ServerProcess } from './server-process.ts';

const CHUNKSERVERS_DEFAULT = 3;
/** A large journal replays for a while; past this the logs tell what is wrong. */
const READY_TIMEOUT_MS = 120_000;
const READY_POLL_MS = 100;
/** A master that ends so often before the cluster was ever ready will not start by itself. */
const MASTER_STARTS_MAX = 3;
const TOO_FEW = 'a write needs as many as minimum_copies says in master.toml, 2 when it says nothing';

export interface UpOptions {
  directory: string;
  port: number;
  /** Undefined: as many as the directory has, at least 3. */
  chunkserverCount: number | undefined;
  restart: boolean;
  json: boolean;
  launcher: string;
}

/** Runs until `ended` aborts; resolves when every server is gone. @throws DiskError EBUSY  another one runs on the directory. */
export async function up(options: UpOptions, ended: AbortSignal): Promise<void> {
  // Where no cluster was kept nobody runs, so taken ports are the cause to tell, and nothing is made there for nothing. Where
  // one is, another `up` may have them.
  if (existingChunkserverCount(options.directory) === 0) await checkClusterPortsFree(layoutOf(options));
  const lock = await lockClusterDirectory(options.directory);
  try {
    await superviseCluster(options, ended);
  } finally {
    await lock.release();
  }
}

async function superviseCluster(options: UpOptions, ended: AbortSignal): Promise<void> {
  const layout = layoutOf(options);
  const { chunkserverCount } = layout;
  await checkClusterPortsFree(layout);
  const existing = existingChunkserverCount(layout.directory);
  if (existing > chunkserverCount) {
    say(
      options,
      `note: ${layout.directory} has ${existing} chunkservers; ${existing - chunkserverCount} of them stay down`,
    );
  }
  const launches = prepareClusterDirectory(layout);
  let isReady = false;
  let masterExits = 0;
  const failed = new AbortController();
  const servers = launches.map(
    (launch) =>
      new ServerProcess({
        ...launch,
        launcher: options.launcher,
        restart: options.restart,
        onExit: ({ name, reason, said, isInUse, restartInMs }) => {
          // Ctrl-C reaches the servers too; they end with us. After a failure one line tells of it, the last.
          if (ended.aborted || failed.signal.aborted) return;
          const why = said === undefined ? '' : `: ${said}`;
          const log = `its log: ${launch.logPath}`;
          if (!isReady && name === 'master') masterExits += 1;
          if (!isReady && (isInUse || masterExits === MASTER_STARTS_MAX)) {
            return failed.abort(new Error(`${name} does not start${why}; ${log}`));
          }
          const next = restartInMs === undefined ? 'not started again' : `starting it again in ${restartInMs} ms`;
          say(options, `${name} ${reason}${why}; ${next}; ${log}`);
        },
      }),
  );
  say(
    options,
    `starting a master and ${counted(chunkserverCount, 'chunkserver')}; data and logs under ${layout.directory}`,
  );
  for (const server of servers) server.start();
  try {
    await untilReady(layout, AbortSignal.any([ended, failed.signal]));
    if (!ended.aborted) failed.signal.throwIfAborted();
    isReady = true;
    if (!ended.aborted) announceReady(options, layout, launches, servers);
    await aborted(ended);
  } finally {
    say(options, 'stopping');
    await Promise.all(servers.map((server) => server.stop()));
    say(options, 'stopped');
  }
}

function layoutOf({ directory, port, chunkserverCount }: UpOptions): ClusterLayout {
  const count = chunkserverCount ?? Math.max(CHUNKSERVERS_DEFAULT, existingChunkserverCount(directory));
  return { directory: resolve(directory), port, chunkserverCount: count };
}

async function checkClusterPortsFree({ port, chunkserverCount }: ClusterLayout): Promise<void> {
  await checkPortsFree(port, 1 + chunkserverCount);
  await checkPortsFree(port + ADMIN_PORT_DISTANCE, 1 + chunkserverCount);
}

async function untilReady(layout: ClusterLayout, ended: AbortSignal): Promise<void> {
  const { chunkserverCount } = layout;
  const client = await connect({ masters: [masterAddress(layout)] });
  const giveUpAtMs = performance.now() + READY_TIMEOUT_MS;
  try {
    while (!ended.aborted) {
      const status = await client.clusterStatus({ timeoutMs: 1000, signal: ended }).catch(() => undefined);
      const liveCount = status?.servers.filter((server) => server.live).length ?? 0;
      const areAllLive = liveCount >= chunkserverCount;
      if (status?.writable && areAllLive) return;
      const isTooFew = status !== undefined && areAllLive && !status.writable && !status.safeMode;
      // Before the first heartbeat a server has told no disks: it does not count yet, and will in a moment.
      if (isTooFew && status.servers.every(({ live, disks }) => !live || disks.length > 0)) {
        const what = `${counted(liveCount, 'chunkserver')} could only be read from: ${TOO_FEW}`;
        throw new Error(
          `${what}: give more --chunkservers, or set it to ${liveCount} in ${layout.directory}/master.toml`,
        );
      }
      if (performance.now() > giveUpAtMs) {
        const live = `${liveCount} of ${counted(chunkserverCount, 'chunkserver')} live`;
        const state = status === undefined ? 'the master does not answer' : live;
        throw new Error(`the cluster did not become ready within ${READY_TIMEOUT_MS / 1000} s: ${state}; see the logs`);
      }
      await new Promise((done) => setTimeout(done, READY_POLL_MS));
    }
  } finally {
    await client.close();
  }
}

function announceReady(
  options: UpOptions,
  layout: { directory: string; port: number; chunkserverCount: number },
  launches: readonly ServerLaunch[],
  servers: readonly ServerProcess[],
): void {
  const master = masterAddress(layout);
  if (options.json) {
    const ready = {
      event: 'ready',
      master,
      chunkservers: layout.chunkserverCount,
      directory: layout.directory,
      // The master's first, as with the pids.
      admin: launches.map((launch) => launch.admin),
      pids: servers.map((server) => server.pid),
    };
    process.stdout.write(`${JSON.stringify(ready)}\n`);
    return;
  }
  process.stdout.write(
    `ready: master on ${master}, ${counted(layout.chunkserverCount, 'chunkserver')}; Ctrl-C ends the cluster\n`,
  );
}

function say(options: UpOptions, message: string): void {
  process.stderr.write(options.json ? `${JSON.stringify({ event: 'note', message })}\n` : `cairn up: ${message}\n`);
}
