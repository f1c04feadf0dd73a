/**
 * Memory that starts at a page, as direct I/O demands (open(2), O_DIRECT). JavaScript does not tell where its buffers
 * lie; the memory of a WebAssembly instance does, by specification of its implementations: at a page.
 */
const WASM_PAGE_BYTES = 64 * 1024;
const PAGE_BYTES = 4096;

interface PagedMemory {
  readonly buffer: ArrayBuffer;
}
declare const WebAssembly: { Memory: new (size: { initial: number; maximum: number }) => PagedMemory };

const alignedBuffers = new WeakSet<ArrayBufferLike>();

/** Memory for buffers of a process, a multiple of 64 KiB; not zeroed for certain. */
export type AllocatePages = (byteCount: number) => Uint8Array;

/** Zeroed memory at the start of a page; a multiple of 64 KiB. Takes address space of its own: few and large, please. */
export function allocatePageAligned(byteCount: number): Uint8Array {
  const pages = Math.ceil(byteCount / WASM_PAGE_BYTES);
  const { buffer } = new WebAssembly.Memory({ initial: pages, maximum: pages });
  alignedBuffers.add(buffer);
  return new Uint8Array(buffer, 0, byteCount);
}

/** Whether the bytes are known to start at a page; bytes allocated otherwise never are. */
export function isPageAligned(bytes: Uint8Array): boolean {
  return bytes.byteOffset % PAGE_BYTES === 0 && alignedBuffers.has(bytes.buffer);
}
