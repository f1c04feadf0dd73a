/**
 * Reading from a socket straight into buffers that the receiver lends. Node does this for sockets created with
 * `onread`: it asks for a buffer, the kernel fills it, and no copy or allocation happens on the way. Node asks before
 * there is a receiver, too; then it gets a small buffer of our own, whose first bytes are copied over.
 */
import type { Socket } from 'node:net';
import { assert, type Receiver } from '@cairnfs/base';

/** Copied once for each connection, so small; a frame's header fits. */
const OWN_BUFFER_BYTES = 64;

export class LentReads {
  #receiver: Receiver | undefined;
  #isPaused = false;
  #isStopped = false;
  readonly #own = new Uint8Array(OWN_BUFFER_BYTES);
  #isOwnLent = false;
  /** Received and not yet handed on. */
  #held: Uint8Array;

  /** @param early bytes already received from the socket, handed on before all others. */
  constructor(early: Uint8Array = new Uint8Array(0)) {
    this.#held = early;
  }

  /** For `net.Socket` and `net.connect`. */
  readonly onread = {
    buffer: (): Uint8Array => {
      this.#isOwnLent = this.#receiver === undefined || this.#isStopped;
      return this.#isOwnLent ? this.#own : this.#receiver!.buffer();
    },
    callback: (length: number): boolean => {
      if (this.#isOwnLent) {
        this.#held = this.#own.slice(0, length);
        this.#handOnHeld();
      } else if (!this.#isStopped) {
        this.#receiver!.received(length);
      }
      return true;
    },
  };

  setReceiver(receiver: Receiver): void {
    this.#receiver = receiver;
  }

  pause(): void {
    this.#isPaused = true;
  }

  /** Hands on what is held. False when the receiver paused or closed meanwhile: then the socket must not be read. */
  start(): boolean {
    this.#isPaused = false;
    this.#handOnHeld();
    return !this.#isPaused && !this.#isStopped;
  }

  /** Nothing is handed on any more. */
  stop(): void {
    this.#isStopped = true;
    this.#held = new Uint8Array(0);
  }

  #handOnHeld(): void {
    while (this.#held.length > 0 && !this.#isPaused && !this.#isStopped) {
      const target = this.#receiver!.buffer();
      const length = Math.min(target.length, this.#held.length);
      target.set(this.#held.subarray(0, length));
      this.#held = this.#held.subarray(length);
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
 * afterwards. Accepted sockets need this, because `net.Server` has no `onread`. The server's count of connections stays
 * right.
 *
 * @param make constructs the new socket around the handle.
 */
export function withLentReads(socket: Socket, make: (handle: object) => Socket): Socket {
  const internals = socket as unknown as SocketInternals;
  const handle = internals._handle;
  assert(handle !== null, 'a socket that is closed already was to be read from');
  handle.reading = false;
  handle.readStop();
  internals._handle = null;
  socket.destroy();
  return make(handle);
}
