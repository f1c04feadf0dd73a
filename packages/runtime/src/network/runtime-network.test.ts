import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2';
import { connect } from 'node:net';
import { test } from 'node:test';
import { type Address, type Connection, parseAddress, type Receiver } from '@cairnfs/base';
import { RuntimeNetwork } from './runtime-network.ts';

const TIMEOUT_MS = 5000;

test('shared port: the framed protocol is told by its first bytes, and its receiver sees them', async () => {
  const { listener, framed } = await listenShared();
  const client = await new RuntimeNetwork().connect(listener.address, TIMEOUT_MS);
  const clientEnd = new Echo(client);
  // Cut inside the preface: one packet need not hold it whole.
  client.write([Buffer.from('CAIR')]);
  await new Promise((resolve) => setImmediate(resolve));
  client.write([Buffer.from('NFS\nhello')]);
  const server = await framed;
  const end = new Echo(server);
  equal(await end.text(13), 'CAIRNFS\nhello');
  const large = 'x'.repeat(300_000);
  client.write([Buffer.from(large)]);
  equal(await end.text(13 + large.length), `CAIRNFS\nhello${large}`);
  server.write([Buffer.from('welcome')]);
  equal(await clientEnd.text(7), 'welcome');
  match(server.peer, /^127\.0\.0\.1:\d+$/);
  await listener.close();
  await Promise.all([clientEnd.gone, end.gone]);
});

test('shared port: HTTP/2 is handed over with its preface unread', async () => {
  const http2 = createHttp2Server((_request, response) => {
    response.end('over HTTP/2');
  });
  const { listener } = await listenShared((socket) => http2.emit('connection', socket));
  const session = connectHttp2(`http://${listener.address}`);
  const request = session.request({ ':path': '/' });
  let body = '';
  for await (const part of request.setEncoding('utf8')) body += part;
  equal(body, 'over HTTP/2');
  session.close();
  await listener.close();
});

test('shared port: whoever speaks neither protocol is cut off', async () => {
  const { listener } = await listenShared();
  const { host, port } = parseAddress(listener.address);
  for (const text of ['GET / HTTP/1.1\r\n\r\n', 'CAIRNFX\n', 'PRI * HTTP/1']) {
    const socket = connect(port, host);
    socket.on('error', () => {});
    socket.write(text);
    await once(socket, 'close');
  }
  await listener.close();
});

test('shared port: a close ends connections that have said nothing yet', async () => {
  const { listener } = await listenShared();
  const { host, port } = parseAddress(listener.address);
  const socket = connect(port, host);
  socket.on('error', () => {});
  await once(socket, 'connect');
  await Promise.all([listener.close(), once(socket, 'close')]);
});

test('connection: reads go straight into the lent buffer', async () => {
  const network = new RuntimeNetwork();
  let accepted: (connection: Connection) => void = () => {};
  const server = new Promise<Connection>((resolve) => {
    accepted = resolve;
  });
  const listener = await network.listen('127.0.0.1:0', (connection) => accepted(connection));
  const client = await network.connect(listener.address, TIMEOUT_MS);
  const lent = new Uint8Array(1024 * 1024);
  const lengths: number[] = [];
  const end = await server;
  const filled = new Promise<void>((resolve) => {
    let position = 0;
    end.receive({
      buffer: () => lent.subarray(position),
      received(length) {
        lengths.push(length);
        position += length;
        if (position === 500_000) resolve();
      },
      drained() {},
      closed() {},
    });
  });
  const bytes = new Uint8Array(500_000).map((_, index) => index % 253);
  client.write([bytes]);
  await filled;
  deepEqual(lent.subarray(0, bytes.length), bytes);
  // Node's own stream reads bring 64 KiB at most: larger ones show that the kernel filled our buffer.
  ok(lengths.some((length) => length > 64 * 1024));
  client.close();
  await listener.close();
});

function listenShared(http2: (socket: import('node:net').Socket) => void = (socket) => socket.destroy()) {
  let accepted: (connection: Connection) => void = () => {};
  const framed = new Promise<Connection>((resolve) => {
    accepted = resolve;
  });
  return new RuntimeNetwork()
    .listenShared('127.0.0.1:0' satisfies Address, { framed: (connection) => accepted(connection), http2 })
    .then((listener) => ({ listener, framed }));
}

/** Keeps all that arrives. */
class Echo implements Receiver {
  readonly gone: Promise<void>;
  #text = '';
  readonly #lent = Buffer.alloc(100);
  #wake: () => void = () => {};
  #markGone: () => void = () => {};

  constructor(connection: Connection) {
    this.gone = new Promise((resolve) => {
      this.#markGone = resolve;
    });
    connection.receive(this);
  }

  async text(length: number): Promise<string> {
    while (this.#text.length < length) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#text;
  }

  buffer(): Uint8Array {
    return this.#lent;
  }

  received(length: number): void {
    this.#text += this.#lent.toString('latin1', 0, length);
    this.#wake();
  }

  drained(): void {}

  closed(): void {
    this.#markGone();
  }
}
