/**
 * The admin port of a server: `/healthz` for supervisors, `/metrics` for Prometheus, over plain HTTP. It only reads, and
 * what it shows is made when it is asked for.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Address, FsError, formatAddress, type Log, parseAddress } from '@cairnfs/base';
import type { Health } from './health.ts';
import {
  ADMIN_CONNECTIONS_MAX,
  ADMIN_HEADER_BYTES_MAX,
  ADMIN_IDLE_MS,
  ADMIN_REQUEST_TIMEOUT_MS,
  ADMIN_TIMEOUT_CHECK_MS,
} from './limits.ts';

export interface AdminServerOptions {
  readonly listen: Address;
  readonly log: Log;
  readonly health: () => Health;
  /** What `/metrics` answers, in the text format of Prometheus. */
  readonly metrics: { readonly contentType: string; text(): Promise<string> };
}

export interface AdminServer {
  readonly address: Address;
  /** Ends its connections too. */
  close(): Promise<void>;
}

/** @throws FsError UNAVAILABLE  the address cannot be listened on; the message names it, the key and the way around. */
export async function startAdminServer(options: AdminServerOptions): Promise<AdminServer> {
  const server = createServer({
    maxHeaderSize: ADMIN_HEADER_BYTES_MAX,
    headersTimeout: ADMIN_REQUEST_TIMEOUT_MS,
    requestTimeout: ADMIN_REQUEST_TIMEOUT_MS,
    connectionsCheckingInterval: ADMIN_TIMEOUT_CHECK_MS,
    keepAliveTimeout: ADMIN_IDLE_MS,
  });
  server.maxConnections = ADMIN_CONNECTIONS_MAX;
  server.timeout = ADMIN_IDLE_MS;
  server.on('request', (request, response) => void answer(options, request, response));
  await listen(server, options);
  const { address: host, port } = server.address() as AddressInfo;
  const address = formatAddress({ host, port });
  options.log.info('admin port listens', { address });
  return {
    address,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(options: AdminServerOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = (request.url ?? '').split('?', 1)[0];
  if (path !== '/healthz' && path !== '/metrics') {
    send(response, 404, TEXT, 'there is /healthz and /metrics\n');
  } else if (request.method !== 'GET') {
    response.setHeader('allow', 'GET');
    send(response, 405, TEXT, `${path} answers GET\n`);
  } else {
    try {
      if (path === '/healthz') {
        const health = options.health();
        send(response, health.status === 'ok' ? 200 : 503, 'application/json', `${JSON.stringify(health)}\n`);
      } else {
        send(response, 200, options.metrics.contentType, await options.metrics.text());
      }
    } catch (error) {
      options.log.error('the admin port could not answer', { path, error });
      send(response, 500, TEXT, `${path} could not be answered: the log of the server says why\n`);
    }
  }
}

const TEXT = 'text/plain; charset=utf-8';

function send(response: ServerResponse, status: number, contentType: string, body: string): void {
  const bytes = Buffer.from(body);
  response.writeHead(status, {
    'content-type': contentType,
    'content-length': bytes.length,
    'cache-control': 'no-store',
  });
  response.end(bytes);
}

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program has it, perhaps this server itself, started twice',
  EADDRNOTAVAIL: 'this machine has no such address',
};

function listen(server: Server, { listen: address, log }: AdminServerOptions): Promise<void> {
  const { host, port } = parseAddress(address);
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const advice =
        cause.code === 'EADDRNOTAVAIL'
          ? 'set listen, or admin_listen, to an address of this machine'
          : 'set admin_listen to another address, or to "off"';
      const message = `the admin port cannot listen on ${address} (${REASONS[cause.code ?? ''] ?? cause.message}): ${advice}`;
      reject(new FsError('UNAVAILABLE', message, { cause, details: { address } }));
    });
    server.listen({ host, port }, () => {
      server.removeAllListeners('error');
      server.on('error', (error) => log.warn('the admin port took no connection', { error }));
      resolve();
    });
  });
}
