/** Bounds of the admin port: it is asked by few, and must not cost the server anything when it is asked by many. */
import { KiB } from '@cairnfs/base';

export const ADMIN_HEADER_BYTES_MAX = 8 * KiB;
/** Connections at once; a further one is closed. */
export const ADMIN_CONNECTIONS_MAX = 32;
/** From a connection's first byte to the end of its request. */
export const ADMIN_REQUEST_TIMEOUT_MS = 5_000;
/** How often requests are looked at for that. */
export const ADMIN_TIMEOUT_CHECK_MS = 1_000;
/** Silence, between requests or of a peer that takes no answer, after which a connection is closed: above usual scrape intervals. */
export const ADMIN_IDLE_MS = 75_000;
