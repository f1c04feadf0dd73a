/** The admin port of the server in this process. */
import type { Log } from '@cairnfs/base';
import { type AdminServer, type Health, ServerMetrics, startAdminServer } from '@cairnfs/server';
import { adminAddress } from '../config/admin-listen.ts';

/** Undefined when it is off. Opened before the server starts, so that it tells of a long start, and a taken port at once. */
export async function openAdminPort(
  settings: Parameters<typeof adminAddress>[0],
  { log, health }: { log: Log; health: () => Health },
): Promise<AdminServer | undefined> {
  const listen = adminAddress(settings);
  return listen === undefined ? undefined : startAdminServer({ listen, log, health, metrics: new ServerMetrics() });
}
