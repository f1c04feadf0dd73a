/**
 * The first words on a connection (docs/protocol.md): which version of the framed protocol both sides speak. What is said
 * is judged here; the connections send and close.
 */
import { FsError } from '@cairnfs/base';
import { Hello, Welcome } from '../gen/cairn/v1/common.ts';
import { SERIES_NAME_BYTES_MAX } from '../limits.ts';
import type { PlaceInSeries } from './connection-series.ts';
import { FrameKind, PROTOCOL_VERSION, PROTOCOL_VERSION_LOWEST } from './frame.ts';

export type HelloVerdict =
  | {
      readonly kind: 'welcome';
      readonly welcome: Uint8Array;
      readonly fromServer: boolean;
      readonly place: PlaceInSeries;
    }
  /** No version suits both, or there is no room for one more: the client is told so. */
  | { readonly kind: 'refused'; readonly error: FsError }
  | { readonly kind: 'noHello' };

/**
 * @param kind and `message` of a client's first frame.
 * @param isFull no client more is welcome; servers are.
 */
export function judgeHello(kind: number, message: Uint8Array, peer: string, isFull: boolean): HelloVerdict {
  const hello = kind === FrameKind.hello ? decodeOrNothing(Hello, message) : undefined;
  if (hello === undefined || hello.series.length > SERIES_NAME_BYTES_MAX) return { kind: 'noHello' };
  const { lowestVersion, fromServer, series: name, number } = hello;
  const version = Math.min(hello.version, PROTOCOL_VERSION);
  if (version >= Math.max(lowestVersion, PROTOCOL_VERSION_LOWEST)) {
    if (isFull && !fromServer) {
      const message = 'this server has as many connections as it takes of clients: try again';
      return { kind: 'refused', error: new FsError('OVERLOADED', message) };
    }
    // Decoded bytes point into the frame, whose memory is lent.
    const place = { name: new Uint8Array(name), number };
    return { kind: 'welcome', welcome: Welcome.encode({ version }).finish(), fromServer, place };
  }
  const error = new FsError(
    'PROTOCOL_MISMATCH',
    `this server speaks versions ${PROTOCOL_VERSION_LOWEST} to ${PROTOCOL_VERSION} of the framed protocol, ` +
      `${peer} versions ${lowestVersion} to ${hello.version}: upgrade the older of the two`,
  );
  return { kind: 'refused', error };
}

/** Whether a server's first frame, no error, welcomes to a version that is spoken here. */
export function isWelcome(kind: number, message: Uint8Array): boolean {
  const version = kind === FrameKind.welcome ? decodeOrNothing(Welcome, message)?.version : undefined;
  return version !== undefined && version >= PROTOCOL_VERSION_LOWEST && version <= PROTOCOL_VERSION;
}

/** What does not decode is no hello and no welcome. */
function decodeOrNothing<T>(type: { decode(bytes: Uint8Array): T }, message: Uint8Array): T | undefined {
  try {
    return type.decode(message);
  } catch {
    return undefined;
  }
}
