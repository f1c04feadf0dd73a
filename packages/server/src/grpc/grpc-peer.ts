/** One HTTP/2 connection: what its answers may hold, and how much of them has left. */
import type { Socket } from 'node:net';
import type { AnswerShare } from '@cairnfs/protocol';

/** The libuv handle under a socket, which HTTP/2 writes to past the socket itself; no part of Node's documentation. */
interface HandleInternals {
  /** Handed to libuv: an HTTP/2 session hands it in one write all that the windows of its peer allow. */
  readonly bytesWritten?: number;
  /** Of that what the kernel has not taken yet; less with each part of a write that it takes. */
  readonly writeQueueSize?: number;
}

interface SocketInternals {
  readonly _handle?: HandleInternals | null;
}

export class GrpcPeer {
  readonly socket: Socket;
  readonly share: AnswerShare;
  readonly #handle: HandleInternals | undefined;

  constructor(socket: Socket, share: AnswerShare) {
    this.socket = socket;
    this.share = share;
    // HTTP/2 takes it away from the socket.
    this.#handle = (socket as unknown as SocketInternals)._handle ?? undefined;
  }

  /** Taken by the kernel. A handle that does not know what it still has shows a write as soon as it was given it. */
  get sentBytes(): number {
    return (this.#handle?.bytesWritten ?? 0) - (this.#handle?.writeQueueSize ?? 0);
  }
}
