/** Runs a chunkserver in this process until it is told to end. */
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { CHUNKSERVER_DEFAULTS, type Chunkserver, startChunkserver } from '@cairnfs/chunkserver';
import {
  chunkserverFamilies,
  chunkserverHealth,
  createServerSeams,
  ServerMetrics,
  type ServerSeams,
  startingHealth,
} from '@cairnfs/server';
import type { ChunkserverSettings } from '../config/schema.ts';
import { openAdminPort } from './admin-port.ts';
import { aborted } from './lifetime.ts';
import { SharedPort } from './shared-port.ts';
import { untilEnd } from './until-end.ts';

export async function serveChunkserver(settings: ChunkserverSettings, ended: AbortSignal): Promise<void> {
  const seams = createServerSeams({
    log: { level: settings.log_level, fields: { server: `chunkserver ${settings.listen}` } },
  });
  await untilEnd(seams, () => serve(seams, settings, ended));
}

async function serve(seams: ServerSeams, settings: ChunkserverSettings, ended: AbortSignal): Promise<void> {
  const port = new SharedPort(seams.network);
  let chunkserver: Chunkserver | undefined;
  const admin = await openAdminPort(settings, {
    log: seams.log,
    health: () => (chunkserver === undefined ? startingHealth('chunkserver') : chunkserverHealth(chunkserver.health())),
    metrics: new ServerMetrics(chunkserverFamilies, () => chunkserver?.statistics()),
  });
  try {
    chunkserver = await startChunkserver(
      { ...seams, network: port.network },
      {
        ...CHUNKSERVER_DEFAULTS,
        listen: settings.listen,
        ...(settings.advertise === undefined ? {} : { advertise: settings.advertise }),
        masters: settings.masters,
        disks: settings.disks.map((disk) => resolve(disk)),
        ...(settings.capacity === undefined ? {} : { capacityBytes: settings.capacity }),
        host: settings.host ?? hostname(),
        rack: settings.rack,
        quarantineGraceMs: settings.quarantine_grace,
        diskTimeoutMs: settings.disk_timeout,
      },
    );
    port.serveGrpc({
      clock: seams.clock,
      log: seams.log,
      handlers: chunkserver.rpc,
      chunkStreams: chunkserver.chunkStreams,
    });
    await aborted(ended);
    seams.log.info('chunkserver ends', { reason: (ended.reason as Error).message });
  } finally {
    await admin?.close();
  }
  await port.close();
  await chunkserver.close();
}
