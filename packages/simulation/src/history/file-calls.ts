/**
 * Calls on the content of one file. The file has the same path for the whole run: it is made before the run begins and is
 * never renamed or deleted. Each call resolves the path itself, so that it meets the file that a `put` before it left; only
 * reads of files that are never put may go through a handle that is kept.
 */
import type { Operation } from './operation.ts';

/** `writeId` is unique in the run and names the bytes (`contentOf`). Offsets and lengths are bytes. */
export type FileCall =
  | { readonly kind: 'write'; readonly writeId: number; readonly offset: number; readonly length: number }
  | { readonly kind: 'append'; readonly writeId: number; readonly length: number }
  /** Result: the offset. */
  | { readonly kind: 'appendRecord'; readonly writeId: number; readonly length: number }
  /** Atomic replacement of the whole file. */
  | { readonly kind: 'put'; readonly writeId: number; readonly length: number }
  | { readonly kind: 'truncate'; readonly length: number }
  /** Result: the bytes, fewer than asked for only at the end of the file. */
  | { readonly kind: 'read'; readonly offset: number; readonly length: number; readonly isKept?: true }
  /** Result: the size. */
  | { readonly kind: 'size' };

export type FileResult = { readonly offset?: number; readonly bytes?: Uint8Array; readonly size?: number };

export type FileOperation = Operation<FileCall, FileResult>;
