/** TCP of this machine. */
import { connect, createServer, type Server, Socket, type SocketConstructorOpts } from 'node:net';
import {
  type Address,
  type Connection,
  FsError,
  formatAddress,
  type Listener,
  type Network,
  parseAddress,
} from '@cairnfs/base';
import { LISTEN_BACKLOG, UNDETECTED_CONNECTIONS_MAX } from '../limits.ts';
import { LentReads, withLentReads } from './lent-reads.ts';
import { networkError } from './network-error.ts';
import { detectProtocol } from './preface.ts';
import { peerOf, RuntimeConnection } from './runtime-connection.ts';

export interface SharedAccept {
  /** Connections of the framed protocol; the receiver sees them from their first byte on. */
  framed: (connection: Connection) => void;
  /** Sockets of HTTP/2, paused, with nothing read from them yet as far as their taker can tell. */
  http2: (socket: Socket) => void;
}

export class RuntimeNetwork implements Network {
  async connect(to: Address, timeoutMs: number): Promise<Connection> {
    const { host, port } = parseAddress(to);
    const reads = new LentReads();
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port, onread: reads.onread });
      // Before there is a receiver nothing may be read.
      socket.pause();
      const timeout = setTimeout(() => {
        socket.destroy(new FsError('DEADLINE_EXCEEDED', `No connection to ${to} within ${timeoutMs} ms: no answer.`));
      }, timeoutMs);
      const onError = (error: Error) => {
        clearTimeout(timeout);
        reject(networkError(`No connection to ${to}`, error));
      };
      socket.once('error', onError);
      socket.once('connect', () => {
        clearTimeout(timeout);
        socket.off('error', onError);
        resolve(new RuntimeConnection(socket, reads, to));
      });
    });
  }

  /** Framed connections only. */
  listen(at: Address, accept: (connection: Connection) => void): Promise<Listener> {
    return listenFor(at, (socket, open) => accept(frame(socket, open)));
  }

  /** Both protocols on one port, told apart by the first bytes. */
  listenShared(at: Address, accept: SharedAccept): Promise<Listener> {
    let undetectedCount = 0;
    return listenFor(at, (socket, open) => {
      if (undetectedCount >= UNDETECTED_CONNECTIONS_MAX) {
        socket.destroy();
        return;
      }
      undetectedCount += 1;
      let isCounted = true;
      const settle = () => {
        if (isCounted) undetectedCount -= 1;
        isCounted = false;
      };
      open.add(socket);
      socket.once('close', () => {
        settle();
        open.delete(socket);
      });
      detectProtocol(socket, (protocol, early) => {
        settle();
        if (protocol === 'framed') {
          accept.framed(frame(socket, open, early));
        } else {
          socket.unshift(early);
          accept.http2(socket);
        }
      });
    });
  }
}

type OpenSockets = Set<{ destroy(): void }>;

/** Makes a framed connection of an accepted socket. */
function frame(accepted: Socket, open: OpenSockets, early?: Uint8Array): RuntimeConnection {
  const peer = peerOf(accepted);
  const reads = new LentReads(early);
  const socket = withLentReads(accepted, (handle) => {
    // `handle` and `pauseOnCreate` are how Node's own server constructs its sockets.
    const options = { handle, onread: reads.onread, pauseOnCreate: true };
    return new Socket(options as SocketConstructorOpts);
  });
  const connection = new RuntimeConnection(socket, reads, peer);
  open.add(socket);
  connection.onClose(() => open.delete(socket));
  return connection;
}

async function listenFor(at: Address, accept: (socket: Socket, open: OpenSockets) => void): Promise<Listener> {
  const { host, port } = parseAddress(at);
  const open: OpenSockets = new Set();
  const server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => accept(socket, open));
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(networkError(`Cannot listen at ${at}`, error)));
    server.listen({ host, port, backlog: LISTEN_BACKLOG }, resolve);
  });
  return {
    address: formatAddress({ host, port: boundPort(server) }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of open) socket.destroy();
      }),
  };
}

function boundPort(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
