/** Runs a master in this process until it is told to end. */

import { resolve } from 'node:path';
import { MASTER_DEFAULTS, type Master, startMaster } from '@cairnfs/master';
import {
  createServerSeams,
  masterFamilies,
  masterHealth,
  ServerMetrics,
  type ServerSeams,
  startingHealth,
} from '@cairnfs/server';
import type { MasterSettings } from '../config/schema.ts';
import { openAdminPort } from './admin-port.ts';
import { aborted } from './lifetime.ts';
import { SharedPort } from './shared-port.ts';
import { untilEnd } from './until-end.ts';

export async function serveMaster(settings: MasterSettings, ended: AbortSignal): Promise<void> {
  const seams = createServerSeams({ log: { level: settings.log_level, fields: { server: 'master' } } });
  await untilEnd(seams, () => serve(seams, settings, ended));
}

async function serve(seams: ServerSeams, settings: MasterSettings, ended: AbortSignal): Promise<void> {
  const port = new SharedPort(seams.network);
  let master: Master | undefined;
  const admin = await openAdminPort(settings, {
    log: seams.log,
    health: () => (master === undefined ? startingHealth('master') : masterHealth(master.health())),
    metrics: new ServerMetrics(masterFamilies, () => master?.statistics()),
  });
  try {
    master = await startMaster(
      { ...seams, network: port.network },
      {
        ...MASTER_DEFAULTS,
        listen: settings.listen,
        directory: resolve(settings.data),
        replication: settings.replication,
        minimumCopies: settings.minimum_copies,
        selector: settings.selector,
        trashKeepMs: settings.trash_keep,
        garbageGraceMs: settings.garbage_grace,
        deadAfterMs: settings.dead_after,
        chunkLeaseMs: settings.chunk_lease,
        chunkBytes: settings.chunk_size,
        diskTimeoutMs: settings.disk_timeout,
      },
    );
    port.serveGrpc({ clock: seams.clock, log: seams.log, handlers: master.rpc });
    await aborted(ended);
    seams.log.info('master ends', { reason: (ended.reason as Error).message });
  } finally {
    await admin?.close();
  }
  await port.close();
  await master.close();
}
