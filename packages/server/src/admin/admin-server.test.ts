import { deepEqual, equal, match, rejects } from 'node:assert/strict';
import { connect } from 'node:net';
import { afterEach, test } from 'node:test';
import type { Log } from '@cairnfs/base';
import { parseAddress } from '@cairnfs/base';
import { type AdminServer, type AdminServerOptions, startAdminServer } from './admin-server.ts';
import { chunkserverHealth, type Health, masterHealth, startingHealth } from './health.ts';
import { ADMIN_CONNECTIONS_MAX } from './limits.ts';

const log: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };
const started: AdminServer[] = [];

afterEach(async () => {
  for (const server of started.splice(0)) await server.close();
});

async function start(options: Partial<AdminServerOptions> = {}): Promise<AdminServer> {
  const metrics = { contentType: 'text/plain; version=0.0.4', text: async () => 'up 1\n' };
  const health = () => startingHealth('master');
  const server = await startAdminServer({ listen: '127.0.0.1:0', log, health, metrics, ...options });
  started.push(server);
  return server;
}

/** What comes back for these bytes, until the server closes the connection. */
function talk(address: string, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(parseAddress(address));
    let text = '';
    socket.on('data', (bytes) => {
      text += bytes.toString();
    });
    socket.on('close', () => resolve(text));
    socket.on('error', reject);
    socket.write(request);
  });
}

test('admin port: health is 200 when all is well, 503 with reasons otherwise', async () => {
  let health: Health = startingHealth('chunkserver');
  const { address } = await start({ health: () => health });
  const ask = async () => {
    const response = await fetch(`http://${address}/healthz?verbose=1`);
    return { status: response.status, body: (await response.json()) as unknown };
  };
  equal((await ask()).status, 503);
  health = chunkserverHealth({ serverId: 3, reasons: ['disk /d failed'] });
  const degraded = { status: 'degraded', role: 'chunkserver', serverId: 3, reasons: ['disk /d failed'] };
  deepEqual(await ask(), { status: 503, body: degraded });
  health = chunkserverHealth({ serverId: 3, reasons: [] });
  deepEqual(await ask(), { status: 200, body: { status: 'ok', role: 'chunkserver', serverId: 3 } });
  health = masterHealth({ clusterId: 'c', writable: false, safeModeReason: 'waits' });
  const safe = {
    status: 'ok',
    role: 'master',
    clusterId: 'c',
    writable: false,
    safeMode: true,
    safeModeReason: 'waits',
  };
  deepEqual(await ask(), { status: 200, body: safe });
});

test('admin port: metrics come as Prometheus reads them; a failure is 500 and leaves the server up', async () => {
  let text = async (): Promise<string> => 'cairn_up 1\n';
  const { address } = await start({ metrics: { contentType: 'text/plain; version=0.0.4', text: () => text() } });
  const response = await fetch(`http://${address}/metrics`);
  equal(response.headers.get('content-type'), 'text/plain; version=0.0.4');
  equal(await response.text(), 'cairn_up 1\n');
  text = async () => {
    throw new Error('broken');
  };
  equal((await fetch(`http://${address}/metrics`)).status, 500);
  equal((await fetch(`http://${address}/healthz`)).status, 503);
});

test('admin port: other paths are 404, other methods 405', async () => {
  const { address } = await start();
  equal((await fetch(`http://${address}/`)).status, 404);
  equal((await fetch(`http://${address}/healthz/x`)).status, 404);
  const response = await fetch(`http://${address}/metrics`, { method: 'POST', body: 'x' });
  equal(response.status, 405);
  equal(response.headers.get('allow'), 'GET');
});

test('admin port: long headers and what is not HTTP are refused', async () => {
  const { address } = await start();
  const long = `GET /healthz HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(16 * 1024)}\r\n\r\n`;
  match(await talk(address, long), /^HTTP\/1\.1 431 /);
  match(await talk(address, '\x00\x01\x02\r\n\r\n'), /^HTTP\/1\.1 400 /);
});

test('admin port: connections past the limit are closed', async () => {
  const { address } = await start();
  const sockets = Array.from({ length: ADMIN_CONNECTIONS_MAX }, () => connect(parseAddress(address)));
  await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
  equal(await talk(address, '').catch(() => ''), '');
  for (const socket of sockets) socket.destroy();
});

test('admin port: a taken address is named, with the key and the way around', async () => {
  const { address } = await start();
  await rejects(start({ listen: address }), (error: Error) => {
    match(error.message, new RegExp(`${address} .*another program has it.*admin_listen.*"off"`));
    return true;
  });
});
