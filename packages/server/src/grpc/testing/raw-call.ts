/** A call of gRPC over a bare HTTP/2 session, for callers that do with it what no library does. */
import type { ClientHttp2Session, ClientHttp2Stream, OutgoingHttpHeaders } from 'node:http2';

interface Definition {
  readonly path: string;
  requestSerialize(request: unknown): Buffer;
}

/** Sends the request and leaves the caller's half open: `end()` closes it. */
export function rawCall(
  session: ClientHttp2Session,
  { path, requestSerialize }: Definition,
  request: unknown,
  headers: OutgoingHttpHeaders = {},
): ClientHttp2Stream {
  const own = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' };
  const call = session.request({ ...own, ...headers });
  call.on('error', () => {});
  const message = requestSerialize(request);
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  call.write(Buffer.concat([prefix, message]));
  return call;
}
