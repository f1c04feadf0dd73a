/** One HTTP/2 connection: what its answers may hold, and how much of them has left. */
import type { Socket } from 'node:net';
import type { AnswerShare } from '@cairnfs/protocol';

/** The libuv handle under a socket, which HTTP/2 writes to past the socket itself; no part of Node's documentation. */
interface SocketInternals {
  readonly _handle?: { readonly bytesWritten?: number } | null;
}

export class GrpcPeer {
  readonly socket: Socket;
  readonly share: AnswerShare;
  readonly #handle: { readonly bytesWritten?: number } | undefined;

  constructor(socket: Socket, share: AnswerShare) {
    this.socket = socket;
    this.share = share;
    // HTTP/2 takes it away from the socket.
    this.#handle = (socket as unknown as SocketInternals)._handle ?? undefined;
  }

  /** The next is handed to the kernel when it has taken the one before. */
  get sentBytes(): number {
    return this.#handle?.bytesWritten ?? 0;
  }
}
