/** What is under a call of grpc-js; no part of its documentation. */
import { constants } from 'node:http2';
import type { FsError } from '@cairnfs/base';
import { toGrpcStatus } from './status.ts';

interface CallInternals {
  readonly call?: {
    /** Its status was sent, or its stream is gone. */
    readonly cancelled?: boolean;
    sendStatus?(status: unknown): void;
    readonly stream?: { close?(code: number): void };
  };
}

/**
 * gRPC has ended the call. One that it ended before there was anything above to be told (its time was over when its
 * message was here and the end of its request was not) is answered like any other, and never hears of its end.
 */
export function isCallOver(surface: object): boolean {
  return (surface as CallInternals).call?.cancelled === true;
}

/**
 * Ends a call whose time is over. grpc-js does so by itself only when the caller named a time, and never before its answers
 * were taken.
 *
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
