/** `host:port`, the form in which processes name each other. IPv6 addresses stand in brackets (RFC 3986 §3.2.2). */
import { FsError } from './errors.ts';
import type { Address } from './seams.ts';

export interface AddressParts {
  /** A name, an IPv4 or an IPv6 address, the latter without brackets. */
  host: string;
  port: number;
}

const NAME_PATTERN = /^[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_.])?$/;
const IPV6_PATTERN = /^[0-9A-Fa-f:.]+(%[A-Za-z0-9._-]+)?$/;
const SCHEME_PATTERN = /^[A-Za-z][A-Za-z0-9+.-]*:\/\//;
const PORT_PATTERN = /^\d{1,5}$/;
const HOST_CHARACTERS_MAX = 253; // RFC 1035 §2.3.4
const PORT_MAX = 65535;

/** @throws FsError INVALID_ARGUMENT when `address` is not `host:port` with a port of 0 to 65535. */
export function parseAddress(address: Address): AddressParts {
  const scheme = SCHEME_PATTERN.exec(address)?.[0];
  if (scheme !== undefined) throw invalid(address, `${scheme} does not belong to it`);
  const colon = address.lastIndexOf(':');
  if (colon < 0) throw invalid(address, 'the port is missing');
  const portText = address.slice(colon + 1);
  const port = Number(portText);
  if (!PORT_PATTERN.test(portText) || port > PORT_MAX) throw invalid(address, `the port must be 0 to ${PORT_MAX}`);
  const bracketed = address.slice(0, colon);
  if (bracketed.startsWith('[') && bracketed.endsWith(']')) {
    const host = bracketed.slice(1, -1);
    if (!host.includes(':') || !IPV6_PATTERN.test(host)) throw invalid(address, 'the brackets hold no IPv6 address');
    return { host, port };
  }
  if (bracketed.includes(':')) throw invalid(address, 'an IPv6 address needs brackets, as in [::1]:9000');
  if (bracketed.length > HOST_CHARACTERS_MAX || !NAME_PATTERN.test(bracketed)) {
    throw invalid(address, 'the host is not a name or an IP address');
  }
  return { host: bracketed, port };
}

export function formatAddress({ host, port }: AddressParts): Address {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function invalid(address: string, reason: string): FsError {
  return new FsError('INVALID_ARGUMENT', `"${address}" is not an address: ${reason}. Write host:port.`, {
    details: { address },
  });
}
