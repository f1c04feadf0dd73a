/** The bare end of a framed connection: sends any bytes, keeps the frames that come back. */
import type { Connection } from '@cairnfs/base';
import { Hello } from '../gen/cairn/v1/common.ts';
import { BufferPool } from '../rpc/buffer-pool.ts';
import { errorOfMessage } from '../rpc/client-call.ts';
import { FRAME_HEADER_BYTES, type FrameHeader, FrameKind, PREFACE, writeFrameHeader } from '../rpc/frame.ts';
import { FrameReader, type FrameSink } from '../rpc/frame-reader.ts';
import type { ReceivedData } from '../rpc/types.ts';

export interface RawFrame {
  kind: number;
  requestId?: number;
  method?: number;
  value?: number;
  message?: Uint8Array;
  data?: Uint8Array;
  dataChecksum?: number;
}

export function frameBytes(frame: RawFrame): Buffer {
  const { kind, requestId = 0, method = 0, value = 0, message = new Uint8Array(0), data } = frame;
  const header = Buffer.alloc(FRAME_HEADER_BYTES);
  const fields = {
    kind,
    requestId,
    method,
    value,
    messageBytes: message.length,
    dataBytes: data?.length,
    dataChecksum: frame.dataChecksum ?? 0,
  };
  writeFrameHeader(header, new DataView(header.buffer, header.byteOffset), 0, fields, message);
  return Buffer.concat([header, message, data ?? new Uint8Array(0)]);
}

export function helloBytes(version = 1, lowestVersion = 1, fromServer = false): Buffer {
  const nowhere = { series: new Uint8Array(0), number: 0 };
  const message = Hello.encode({ version, lowestVersion, fromServer, ...nowhere }).finish();
  return Buffer.concat([Buffer.from(PREFACE), frameBytes({ kind: FrameKind.hello, message })]);
}

export class RawPeer implements FrameSink {
  readonly #connection: Connection;
  /** `kind:requestId`, with the error's code behind it. */
  readonly frames: string[] = [];
  isEnded = false;

  constructor(connection: Connection, preface = '') {
    this.#connection = connection;
    new FrameReader({ connection, pool: new BufferPool(), sink: this, preface });
  }

  send(bytes: Uint8Array): void {
    this.#connection.write([bytes]);
  }

  close(): void {
    this.#connection.close();
  }

  frame(header: FrameHeader, message: Uint8Array, data: ReceivedData | undefined): void {
    data?.memory.release();
    const error = header.kind === FrameKind.error ? `:${errorOfMessage(message).kind}` : '';
    this.frames.push(`${header.kind}:${header.requestId}${error}`);
  }

  alive(): void {}
  drained(): void {}

  ended(): void {
    this.isEnded = true;
  }
}
