/** Items of a stream, from its handler to the frames: one at a time, as credit and the room for answers allow. */
import { FRAME_DATA_BYTES_MAX } from '../limits.ts';
import type { ServerCall } from './server-call.ts';
import type { Payload } from './types.ts';

/**
 * Until the items or the caller's interest end; returns the error of an item that does not fit.
 *
 * @param send returns why an item cannot be sent.
 */
export async function sendItems(
  call: ServerCall,
  items: AsyncIterator<Payload<unknown>>,
  send: (item: Payload<unknown>) => unknown,
): Promise<unknown> {
  for (;;) {
    if (call.credit === 0) await call.creditGranted();
    // Credit is the peer's word that it will take the item; memory is held until it has.
    if (call.abortReason === undefined) await call.room(FRAME_DATA_BYTES_MAX)?.catch(() => {});
    if (call.abortReason !== undefined) break;
    const next = await items.next();
    if (next.done === true) return undefined;
    if (call.abortReason !== undefined) {
      next.value.data?.sent?.();
      break;
    }
    call.credit -= 1;
    const failure = send(next.value);
    if (failure === undefined) continue;
    await items.return?.();
    return failure;
  }
  await items.return?.();
  return undefined;
}
