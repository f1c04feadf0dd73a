/** Where the admin port of a server is. */
import { type Address, FsError, formatAddress, parseAddress } from '@cairnfs/base';

/** From the port a server serves on to its admin port, unless the configuration says otherwise. */
export const ADMIN_PORT_DISTANCE = 1000;

/** The word for no admin port. */
export const OFF = 'off';

const PORT_MAX = 65_535;

/**
 * Undefined: it is off. A server on any free port (0) has its admin port on one too.
 *
 * @throws FsError INVALID_ARGUMENT  there is no port that far above the one of `listen`, or the two are the same.
 */
export function adminAddress(settings: { listen: Address; admin_listen?: string | undefined }): Address | undefined {
  if (settings.admin_listen === OFF) return undefined;
  if (settings.admin_listen !== undefined) return otherThan(settings.listen, settings.admin_listen);
  const { host, port } = parseAddress(settings.listen);
  if (port === 0) return formatAddress({ host, port });
  if (port + ADMIN_PORT_DISTANCE <= PORT_MAX) return formatAddress({ host, port: port + ADMIN_PORT_DISTANCE });
  const message =
    `listen = "${settings.listen}" leaves no port for the admin port, which is ${ADMIN_PORT_DISTANCE} above it: ` +
    'set admin_listen to an address, or to "off"';
  throw new FsError('INVALID_ARGUMENT', message);
}

const ANY_HOST: readonly string[] = ['0.0.0.0', '::'];

function otherThan(listen: Address, admin: Address): Address {
  const [a, b] = [parseAddress(listen), parseAddress(admin)];
  const isSameHost = a.host === b.host || [a.host, b.host].some((host) => ANY_HOST.includes(host));
  if (a.port === 0 || a.port !== b.port || !isSameHost) return admin;
  const message =
    `admin_listen = "${admin}" and listen = "${listen}" are the same: give admin_listen a port of its own, or leave it out ` +
    `for the one ${ADMIN_PORT_DISTANCE} above`;
  throw new FsError('INVALID_ARGUMENT', message);
}
