/**
 * Reading from a socket straight into buffers that the receiver lends. Node does this for sockets created with `onread`:
 * it asks for a buffer, the kernel fills it, and no copy or allocation happens on the way. Node asks before there is a receiver, too;
 * then it gets a small buffer of our own, whose first bytes are copied over.
 */
import type { Socket } from 'node:net';
import type { Receiver } from '@cairnfs/base';

/** Copied once for each connection, so small; a frame's header fits. */
const OWN_BUFFER_BYTES = 64;

export class LentReads {
  #receiver: Receiver | undefined;
  #isStopped = false;
  readonly #own = new Uint8Array(OWN_BUFFER_BYTES);
  #isOwnLent = false;

  /** For `net.Socket` and `net.connect`. */
  readonly onread = {
    buffer: (): Uint8Array => {
      this.#isOwnLent = this.#receiver === undefined || this.#isStopped;
      return this.#isOwnLent ? this.#own : this.#receiver!.buffer();
    },
    callback: (length: number): boolean => {
      if (this.#isOwnLent) this.give(this.#own.subarray(0, length));
      else if (!this.#isStopped) this.#receiver!.received(length);
      return true;
    },
  };

  start(receiver: Receiver): void {
    this.#receiver = receiver;
  }

  /** Nothing is handed on any more. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Bytes that are in memory already. */
  give(bytes: Uint8Array): void {
    for (let rest = bytes; rest.length > 0 && !this.#isStopped; ) {
      const target = this.#receiver!.buffer();
      const length = Math.min(target.length, rest.length);
      target.set(rest.subarray(0, length));
      rest = rest.subarray(length);
      this.#receiver!.received(length);
    }
  }
}

/** The libuv handle under a socket; part of every TCP socket of Node though not of its documentation. */
interface SocketInternals {
  _handle: { reading: boolean; readStop(): void } | null;
}

/**
 * A socket over the same TCP connection that reads into lent buffers, taking the place of `socket`, which is of no use
 * afterwards. Accepted sockets need this, because `net.Server` has no `onread`. The server's count of connections stays right.
 *
 * @param make constructs the new socket around the handle.
 */
export function withLentReads(socket: Socket, make: (handle: object) => Socket): Socket {
  const internals = socket as unknown as SocketInternals;
  const handle = internals._handle;
  if (handle === null) return socket; // closed already
  handle.reading = false;
  handle.readStop();
  internals._handle = null;
  socket.destroy();
  return make(handle);
}
