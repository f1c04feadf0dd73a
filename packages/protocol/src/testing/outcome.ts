import assert from 'node:assert/strict';
import { FsError } from '@cairnfs/base';

/** What the promise comes to: its value or its error. */
export async function outcome<T>(promise: Promise<T>): Promise<T | FsError> {
  return promise.catch((error: unknown) => {
    assert.ok(error instanceof FsError, String(error));
    return error;
  });
}

export async function failure(promise: Promise<unknown>): Promise<FsError> {
  const result = await outcome(promise);
  assert.ok(result instanceof FsError, 'expected an error');
  return result;
}
