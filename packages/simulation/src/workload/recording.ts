export type Moment = number;
export type Outcome<R> =
  | { readonly kind: 'ok'; readonly result: R }
  | { readonly kind: 'failed'; readonly code: string }
  | { readonly kind: 'unknown' };
export interface Operation<C, R> {
  readonly id: number;
  readonly client: string;
  readonly call: C;
  readonly begin: Moment;
  end: Moment;
  outcome: Outcome<R>;
}
export type FileCall =
  | { kind: 'write'; writeId: number; offset: number; length: number }
  | { kind: 'append'; writeId: number; length: number }
  | { kind: 'appendRecord'; writeId: number; length: number }
  | { kind: 'put'; writeId: number; length: number }
  | { kind: 'truncate'; length: number }
  | { kind: 'read'; offset: number; length: number }
  | { kind: 'size' };
export type FileResult = { offset?: number; bytes?: Uint8Array; size?: number };
export type NamespaceCall =
  | { kind: 'mkdir'; path: string }
  | { kind: 'create'; path: string }
  | { kind: 'put'; path: string; writeId: number; length: number }
  | { kind: 'rename'; from: string; to: string }
  | { kind: 'remove'; path: string }
  | { kind: 'list'; path: string }
  | { kind: 'stat'; path: string }
  | { kind: 'read'; path: string };
export function contentOf(writeId: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = 1 + ((writeId * 31 + i * 7 + (i >> 8)) % 255);
  return bytes;
}
