/** Ends a call whose time is over. grpc-js does so by itself only when the caller named a time, and never before its answers were taken. */
import { constants } from 'node:http2';
import type { FsError } from '@cairnfs/base';
import { toGrpcStatus } from './status.ts';

/** What is under a call of grpc-js; no part of its documentation. */
interface CallInternals {
  readonly call?: {
    sendStatus?(status: unknown): void;
    readonly stream?: { close?(code: number): void };
  };
}

/**
 * @param isUntaken an answer is with the transport: a status would come behind it, so the stream is reset, which the caller sees
 *   as CANCELLED.
 * @returns false when it cannot be ended.
 */
export function endLateCall(surface: object, reason: FsError, isUntaken: boolean): boolean {
  const { call } = surface as CallInternals;
  if (call === undefined) return false;
  if (!isUntaken && call.sendStatus !== undefined) {
    call.sendStatus(toGrpcStatus(reason));
    return true;
  }
  if (call.stream?.close === undefined) return false;
  call.stream.close(constants.NGHTTP2_CANCEL);
  return true;
}
