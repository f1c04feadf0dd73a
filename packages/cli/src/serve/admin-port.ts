/** The admin port of the server in this process. */
import { type AdminServer, type AdminServerOptions, startAdminServer } from '@cairnfs/server';
import { adminAddress } from '../config/admin-listen.ts';

/** Undefined when it is off. Opened before the server starts, so that it tells of a long start, and a taken port at once. */
export async function openAdminPort(
  settings: Parameters<typeof adminAddress>[0],
  shown: Pick<AdminServerOptions, 'log' | 'health' | 'metrics'>,
): Promise<AdminServer | undefined> {
  const listen = adminAddress(settings);
  return listen === undefined ? undefined : startAdminServer({ listen, ...shown });
}
