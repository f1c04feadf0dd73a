/** Waits for what does not know the caller's signal itself. */
import { onAbort } from '@cairnfs/base';

/** @throws the signal's reason when it aborts before `promise` is settled; what that comes to then is nobody's concern. */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  let release = () => {};
  const aborted = new Promise<never>((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    else release = onAbort(signal, () => reject(signal.reason));
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    release();
  }
}
