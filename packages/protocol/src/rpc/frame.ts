/**
 * The frame header of docs/protocol.md: 28 bytes, little endian, before each message and its raw data.
 * Checks are paired: `writeFrameHeader` refuses what `parseFrameHeader` would.
 */
import { assert } from '@cairnfs/base';
import { FRAME_DATA_BYTES_MAX, FRAME_MESSAGE_BYTES_MAX } from '../limits.ts';
import { checksumOf } from './head-checksum.ts';

/** What a client sends first, before its hello frame. */
export const PREFACE = 'CAIRNFS\n';
export const PREFACE_BYTES = 8;
/** The newest version of the protocol, and the oldest still spoken. */
export const PROTOCOL_VERSION = 1;
export const PROTOCOL_VERSION_LOWEST = 1;

export const FRAME_HEADER_BYTES = 28;
const CHECKED_HEADER_BYTES = 24; // what its own checksum covers
const FLAG_DATA = 1;

export const FrameKind = {
  request: 1,
  response: 2,
  error: 3,
  cancel: 4,
  item: 5,
  end: 6,
  credit: 7,
  ping: 8,
  pong: 9,
  hello: 10,
  welcome: 11,
} as const;
const KIND_MAX = FrameKind.welcome;
const KIND_AT = 14;
/** Of the message length of a server's first frame: it stays below 64 KiB. */
const LENGTH_BYTES_USED = 2;

/** One header, taken apart. Reused from frame to frame by its reader: copy what must live on. */
export interface FrameHeader {
  messageBytes: number;
  dataBytes: number;
  requestId: number;
  method: number;
  kind: number;
  hasData: boolean;
  /** Request: time left in ms. Credit: items granted. Otherwise 0. */
  value: number;
  dataChecksum: number;
  headChecksum: number;
}

export function emptyFrameHeader(): FrameHeader {
  return {
    messageBytes: 0,
    dataBytes: 0,
    requestId: 0,
    method: 0,
    kind: 0,
    hasData: false,
    value: 0,
    dataChecksum: 0,
    headChecksum: 0,
  };
}

/**
 * Takes a header apart into `header`. The checksum is checked later, with the message (`headIsIntact`).
 *
 * @returns what is wrong with it, or undefined.
 */
export function parseFrameHeader(view: DataView, at: number, header: FrameHeader): string | undefined {
  header.messageBytes = view.getUint32(at, true);
  header.dataBytes = view.getUint32(at + 4, true);
  header.requestId = view.getUint32(at + 8, true);
  header.method = view.getUint16(at + 12, true);
  header.kind = view.getUint8(at + 14);
  const flags = view.getUint8(at + 15);
  header.hasData = flags === FLAG_DATA;
  header.value = view.getUint32(at + 16, true);
  header.dataChecksum = view.getUint32(at + 20, true);
  header.headChecksum = view.getUint32(at + 24, true);
  if (header.messageBytes > FRAME_MESSAGE_BYTES_MAX) return `message of ${header.messageBytes} bytes`;
  if (header.dataBytes > FRAME_DATA_BYTES_MAX) return `data of ${header.dataBytes} bytes`;
  if (header.kind === 0 || header.kind > KIND_MAX) return `kind ${header.kind}`;
  if (flags > FLAG_DATA) return `flags ${flags}`;
  if (!header.hasData && (header.dataBytes !== 0 || header.dataChecksum !== 0)) return 'data without its flag';
  return undefined;
}

/**
 * Whether these first bytes from a peer can begin a server's first frame, a welcome or an error: both are small and have
 * nothing but their kind in the rest of the header. Text, TLS and HTTP/2 fail by their fourth byte.
 */
export function mayBeginServer(bytes: Uint8Array): boolean {
  const end = Math.min(bytes.length, CHECKED_HEADER_BYTES);
  for (let at = LENGTH_BYTES_USED; at < end; at += 1) {
    const byte = bytes[at]!;
    const isPlausible = at === KIND_AT ? byte === FrameKind.welcome || byte === FrameKind.error : byte === 0;
    if (!isPlausible) return false;
  }
  return true;
}

/** Whether header and message are those that were sent; `at` is where the header starts and its message follows. */
export function headIsIntact(bytes: Uint8Array, at: number, header: FrameHeader): boolean {
  const messageStart = at + FRAME_HEADER_BYTES;
  const ofHeader = checksumOf(bytes, at, CHECKED_HEADER_BYTES, 0);
  return checksumOf(bytes, messageStart, header.messageBytes, ofHeader) === header.headChecksum;
}

/** Fields of a frame to send; its message is already behind the header in `bytes`. */
export interface FrameFields {
  kind: number;
  requestId: number;
  method: number;
  value: number;
  messageBytes: number;
  /** Undefined without raw data. */
  dataBytes: number | undefined;
  dataChecksum: number;
}

/** Writes the header at `at`. `message` is what follows it on the wire, wherever it lies in memory. */
export function writeFrameHeader(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  fields: FrameFields,
  message: Uint8Array,
): void {
  const { messageBytes, dataBytes = 0 } = fields;
  assert(messageBytes <= FRAME_MESSAGE_BYTES_MAX, () => `frame message of ${messageBytes} bytes`);
  assert(dataBytes <= FRAME_DATA_BYTES_MAX, () => `frame data of ${dataBytes} bytes`);
  view.setUint32(at, messageBytes, true);
  view.setUint32(at + 4, dataBytes, true);
  view.setUint32(at + 8, fields.requestId, true);
  view.setUint16(at + 12, fields.method, true);
  view.setUint8(at + 14, fields.kind);
  view.setUint8(at + 15, fields.dataBytes === undefined ? 0 : FLAG_DATA);
  view.setUint32(at + 16, fields.value, true);
  view.setUint32(at + 20, fields.dataChecksum, true);
  const ofHeader = checksumOf(bytes, at, CHECKED_HEADER_BYTES, 0);
  view.setUint32(at + 24, checksumOf(message, 0, messageBytes, ofHeader), true);
}
