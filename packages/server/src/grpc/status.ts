/** Our errors as gRPC tells them: the nearest status code, and the whole error in the trailer `cairn-error-bin`. */
import { asBuffer, type ErrorCode, toFsError } from '@cairnfs/base';
import { ErrorDetail, toErrorDetail } from '@cairnfs/protocol';
import { Metadata, type StatusObject, status } from '@grpc/grpc-js';

export const ERROR_TRAILER = 'cairn-error-bin';

/** ABORTED stands for "look up again", UNAVAILABLE for "later or elsewhere"; the trailer says which of ours it was. */
const STATUS_OF: Record<ErrorCode, status> = {
  NOT_FOUND: status.NOT_FOUND,
  ALREADY_EXISTS: status.ALREADY_EXISTS,
  NOT_A_DIRECTORY: status.FAILED_PRECONDITION,
  IS_A_DIRECTORY: status.FAILED_PRECONDITION,
  NOT_EMPTY: status.FAILED_PRECONDITION,
  NAME_TOO_LONG: status.INVALID_ARGUMENT,
  NO_ATTRIBUTE: status.NOT_FOUND,
  INVALID_ARGUMENT: status.INVALID_ARGUMENT,
  TOO_LARGE: status.OUT_OF_RANGE,
  READ_ONLY: status.FAILED_PRECONDITION,
  UPLOAD_NOT_FOUND: status.NOT_FOUND,
  STALE_HANDLE: status.NOT_FOUND,
  BAD_HANDLE: status.INVALID_ARGUMENT,
  OUTCOME_EXPIRED: status.UNKNOWN,
  NO_SPACE: status.RESOURCE_EXHAUSTED,
  NOT_ENOUGH_SERVERS: status.UNAVAILABLE,
  SAFE_MODE: status.UNAVAILABLE,
  OVERLOADED: status.RESOURCE_EXHAUSTED,
  UNAVAILABLE: status.UNAVAILABLE,
  STALE_VERSION: status.ABORTED,
  CHUNK_NOT_FOUND: status.ABORTED,
  NOT_PRIMARY: status.ABORTED,
  LEASE_EXPIRED: status.ABORTED,
  CHUNK_FULL: status.OUT_OF_RANGE,
  CHUNK_SEALED: status.FAILED_PRECONDITION,
  CHECKSUM_MISMATCH: status.DATA_LOSS,
  DISK_FAILED: status.UNAVAILABLE,
  VIEW_TOO_SMALL: status.UNAVAILABLE,
  CLUSTER_MISMATCH: status.FAILED_PRECONDITION,
  STALE_SESSION: status.FAILED_PRECONDITION,
  CONNECTION_LOST: status.UNAVAILABLE,
  CONNECTION_REFUSED: status.UNAVAILABLE,
  NAME_UNRESOLVED: status.UNAVAILABLE,
  FOREIGN_PROTOCOL: status.UNAVAILABLE,
  DEADLINE_EXCEEDED: status.DEADLINE_EXCEEDED,
  CANCELLED: status.CANCELLED,
  BAD_FRAME: status.INVALID_ARGUMENT,
  UNKNOWN_METHOD: status.UNIMPLEMENTED,
  PROTOCOL_MISMATCH: status.FAILED_PRECONDITION,
  DAMAGED: status.DATA_LOSS,
  INTERNAL: status.INTERNAL,
};

/** Servers refuse longer trailers, and some clients metadata above 8 KiB in all: the whole message travels if it fits. */
const TRAILER_BYTES_MAX = 4096;
const STATUS_TEXT_LENGTH_MAX = 1024;

export function toGrpcStatus(error: unknown): StatusObject {
  const { kind } = toFsError(error);
  const detail = toErrorDetail(error);
  const metadata = new Metadata();
  const whole = asBuffer(ErrorDetail.encode(detail).finish());
  const shorter = { kind, message: detail.message.slice(0, STATUS_TEXT_LENGTH_MAX), details: {} };
  metadata.set(
    ERROR_TRAILER,
    whole.length <= TRAILER_BYTES_MAX ? whole : asBuffer(ErrorDetail.encode(shorter).finish()),
  );
  return { code: STATUS_OF[kind], details: detail.message.slice(0, STATUS_TEXT_LENGTH_MAX), metadata };
}
