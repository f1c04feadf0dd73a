/** Calls on the names below one folder. No call reaches from one such subtree into another. */
import type { Operation } from './operation.ts';

/** Paths are relative to the subtree's folder: `/a`, `/d/b`; `''` is the folder itself, which is made before the run. */
export type NamespaceCall =
  | { readonly kind: 'mkdir'; readonly path: string }
  /** Exclusive, of an empty file. */
  | { readonly kind: 'create'; readonly path: string }
  | { readonly kind: 'put'; readonly path: string; readonly writeId: number; readonly length: number }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string }
  /** Of a file or an empty directory. */
  | { readonly kind: 'remove'; readonly path: string }
  /** Result: the names, sorted. */
  | { readonly kind: 'list'; readonly path: string }
  /** Result: type and size (0 for a directory). */
  | { readonly kind: 'stat'; readonly path: string }
  /** Of a whole file. Result: the bytes. */
  | { readonly kind: 'read'; readonly path: string };

export type NamespaceResult = {
  readonly names?: readonly string[];
  readonly type?: 'file' | 'directory';
  readonly size?: number;
  readonly bytes?: Uint8Array;
};

export type NamespaceOperation = Operation<NamespaceCall, NamespaceResult>;
