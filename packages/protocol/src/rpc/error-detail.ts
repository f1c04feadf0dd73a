/** Errors on the wire: `FsError` to `ErrorDetail` and back, for error frames and for gRPC's `cairn-error-bin`. */
import { FsError, isErrorCode, toFsError } from '@cairnfs/base';
import { ErrorDetail } from '../gen/cairn/v1/common.ts';
import { ERROR_TEXT_LENGTH_MAX } from '../limits.ts';

/** Anything thrown becomes a detail; what is no `FsError` travels as `INTERNAL`. */
export function toErrorDetail(error: unknown): ErrorDetail {
  const { kind, message, details } = toFsError(error);
  const texts: Record<string, string> = {};
  for (const [name, value] of Object.entries(details)) texts[name] = cut(String(value));
  return { kind, message: cut(message), details: texts };
}

/** Details come back as the texts they travelled as. A code this side does not know becomes `INTERNAL`. */
export function fromErrorDetail(detail: ErrorDetail): FsError {
  if (isErrorCode(detail.kind)) return new FsError(detail.kind, detail.message, { details: detail.details });
  return new FsError('INTERNAL', `${detail.message} (error code ${JSON.stringify(detail.kind)}, unknown here)`, {
    details: detail.details,
  });
}

export function encodeErrorDetail(error: unknown): Uint8Array {
  return ErrorDetail.encode(toErrorDetail(error)).finish();
}

/** Half a surrogate pair left by the cut is encoded as U+FFFD; a message may bear that. */
function cut(text: string): string {
  return text.length > ERROR_TEXT_LENGTH_MAX ? `${text.slice(0, ERROR_TEXT_LENGTH_MAX)}…` : text;
}
