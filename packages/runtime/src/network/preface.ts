/**
 * Which protocol an accepted socket speaks, told by its first bytes: `CAIRNFS\n` the framed one, `PRI * HTTP/2.0` gRPC
 * (RFC 9113 §3.4). The bytes looked at stay for whoever takes the socket over.
 */
import type { Socket } from 'node:net';
import { PREFACE_TIMEOUT_MS } from '../limits.ts';

export type Protocol = 'framed' | 'http2';

const PREFACES: readonly { protocol: Protocol; bytes: Buffer }[] = [
  { protocol: 'framed', bytes: Buffer.from('CAIRNFS\n', 'latin1') },
  { protocol: 'http2', bytes: Buffer.from('PRI * HTTP/2.0', 'latin1') },
];

/**
 * Calls `detected` with the protocol and all bytes read so far, the socket paused; or destroys the socket when it says
 * nothing in time, something else, or closes.
 */
export function detectProtocol(socket: Socket, detected: (protocol: Protocol, early: Buffer) => void): void {
  let early = Buffer.alloc(0);
  const timeout = setTimeout(() => socket.destroy(), PREFACE_TIMEOUT_MS);
  const onEnd = () => socket.destroy();
  // An error before the protocol is known concerns nobody: 'close' follows it and ends the wait.
  const onError = () => {};
  const stop = () => {
    clearTimeout(timeout);
    socket.off('data', onData);
    socket.off('end', onEnd);
    socket.off('close', stop);
    socket.off('error', onError);
  };
  const onData = (bytes: Buffer) => {
    // One read brings 64 KiB at most, and each but the first follows fewer bytes than a preface: the buffer is bounded.
    early = Buffer.concat([early, bytes]);
    const candidates = PREFACES.filter(({ bytes: preface }) => {
      const length = Math.min(preface.length, early.length);
      return preface.compare(early, 0, length, 0, length) === 0;
    });
    const [candidate] = candidates;
    if (candidate === undefined) {
      socket.destroy();
    } else if (early.length >= candidate.bytes.length) {
      stop();
      socket.pause();
      detected(candidate.protocol, early);
    }
  };
  socket.on('error', onError);
  socket.on('data', onData);
  socket.on('end', onEnd);
  socket.on('close', stop);
  socket.resume();
}
