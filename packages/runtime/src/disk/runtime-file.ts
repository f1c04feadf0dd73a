/**
 * An open file. Reads, syncs and large writes run in libuv's thread pool; small writes on the spot. Bulk data goes past
 * the page cache where the file system can (O_DIRECT, Linux), through a second descriptor of the same file.
 */
import { close, constants, fdatasync, fstat, ftruncate, open, read, write, writev, writevSync } from 'node:fs';
import { assert, DiskError, type DiskFile, isPageAligned } from '@cairnfs/base';
import { DIRECT_BYTES_MIN, DIRECT_UNIT_BYTES, SYNC_WRITE_BYTES_MAX, WRITEV_BUFFERS_MAX } from '../limits.ts';
import { diskError } from './disk-error.ts';

export class RuntimeFile implements DiskFile {
  readonly #path: string;
  readonly #descriptor: number;
  #isOpen = true;
  /** Opened by the first bulk access; resolves to undefined where there is no direct I/O. */
  #direct: Promise<number | undefined> | undefined;
  /** The device refused direct access: its units are larger than ours. */
  #refusesDirect = false;

  constructor(path: string, descriptor: number) {
    this.#path = path;
    this.#descriptor = descriptor;
  }

  read(position: number, target: Uint8Array): Promise<number> {
    this.#checkOpen();
    return new Promise((resolve, reject) => {
      const readFrom = (filled: number): void => {
        const length = target.length - filled;
        read(this.#descriptor, target, filled, length, position + filled, (error, bytesRead) => {
          if (error !== null) reject(diskError('read', this.#path, error));
          else if (bytesRead === 0 || bytesRead === length) resolve(filled + bytesRead);
          else readFrom(filled + bytesRead);
        });
      };
      if (target.length === 0) resolve(0);
      else readFrom(0);
    });
  }

  write(position: number, buffers: readonly Uint8Array[]): Promise<void> {
    this.#checkOpen();
    const pending = buffers.filter((buffer) => buffer.length > 0);
    let length = 0;
    for (const buffer of pending) length += buffer.length;
    if (length > SYNC_WRITE_BYTES_MAX) {
      return new Promise((resolve, reject) => this.#writeRest(position, pending, resolve, reject));
    }
    try {
      for (let rest = pending, at = position; rest.length > 0; ) {
        const written = this.#checkProgress(writevSync(this.#descriptor, rest.slice(0, WRITEV_BUFFERS_MAX), at));
        rest = withoutFirst(rest, written);
        at += written;
      }
      return Promise.resolve();
    } catch (error) {
      return Promise.reject(diskError('write', this.#path, error));
    }
  }

  async writeBulk(position: number, bytes: Uint8Array): Promise<void> {
    this.#checkOpen();
    const direct = this.#directBytes(position, bytes);
    const descriptor = direct === 0 ? undefined : await this.#openDirect();
    let written = 0;
    if (descriptor !== undefined) written = await this.#writeDirect(descriptor, position, bytes.subarray(0, direct));
    if (written < bytes.length) await this.write(position + written, [bytes.subarray(written)]);
  }

  async readBulk(position: number, target: Uint8Array): Promise<number> {
    this.#checkOpen();
    const direct = this.#directBytes(position, target);
    const descriptor = direct === 0 ? undefined : await this.#openDirect();
    let filled = 0;
    if (descriptor !== undefined) filled = await this.#readDirect(descriptor, position, target.subarray(0, direct));
    // The rest, or the look that finds the end of the file there.
    return filled + (await this.read(position + filled, target.subarray(filled)));
  }

  sync(): Promise<void> {
    this.#checkOpen();
    return new Promise((resolve, reject) => {
      fdatasync(this.#descriptor, (error) => (error ? reject(diskError('sync', this.#path, error)) : resolve()));
    });
  }

  truncate(sizeBytes: number): Promise<void> {
    this.#checkOpen();
    return new Promise((resolve, reject) => {
      ftruncate(this.#descriptor, sizeBytes, (error) =>
        error ? reject(diskError('truncation', this.#path, error)) : resolve(),
      );
    });
  }

  size(): Promise<number> {
    this.#checkOpen();
    return new Promise((resolve, reject) => {
      fstat(this.#descriptor, (error, { size } = { size: 0 } as never) =>
        error ? reject(diskError('stat', this.#path, error)) : resolve(size),
      );
    });
  }

  async close(): Promise<void> {
    this.#checkOpen();
    this.#isOpen = false;
    const direct = await this.#direct;
    if (direct !== undefined) await this.#close(direct);
    await this.#close(this.#descriptor);
  }

  #close(descriptor: number): Promise<void> {
    return new Promise((resolve, reject) => {
      close(descriptor, (error) => (error ? reject(diskError('close', this.#path, error)) : resolve()));
    });
  }

  /** How many of the bytes can be moved directly, from the first one on. */
  #directBytes(position: number, bytes: Uint8Array): number {
    const isAligned = position % DIRECT_UNIT_BYTES === 0 && isPageAligned(bytes);
    const direct = isAligned && !this.#refusesDirect ? wholeUnits(bytes.length) : 0;
    return direct < DIRECT_BYTES_MIN ? 0 : direct;
  }

  /** A second descriptor of this file, whatever its name is by now. */
  #openDirect(): Promise<number | undefined> {
    const { O_DIRECT, O_RDWR } = constants;
    this.#direct ??= new Promise((resolve) => {
      if (O_DIRECT === undefined) resolve(undefined);
      else open(`/proc/self/fd/${this.#descriptor}`, O_RDWR | O_DIRECT, (error, fd) => resolve(error ? undefined : fd));
    });
    return this.#direct;
  }

  /** @returns the bytes read, whole units: fewer at the end of the file, or when the rest has to go the ordinary way. */
  #readDirect(descriptor: number, position: number, target: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      read(descriptor, target, 0, target.length, position, (error, bytesRead) => {
        if (error === null) {
          resolve(wholeUnits(bytesRead));
        } else if (error.code === 'EINVAL') {
          this.#refusesDirect = true;
          resolve(0);
        } else {
          reject(diskError('read', this.#path, error));
        }
      });
    });
  }

  /** @returns the bytes written: fewer when the rest has to go the ordinary way. */
  #writeDirect(descriptor: number, position: number, bytes: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      write(descriptor, bytes, 0, bytes.length, position, (error, written) => {
        if (error === null) {
          resolve(wholeUnits(written));
        } else if (error.code === 'EINVAL') {
          this.#refusesDirect = true;
          resolve(0);
        } else {
          reject(diskError('write', this.#path, error));
        }
      });
    });
  }

  #writeRest(at: number, buffers: Uint8Array[], resolve: () => void, reject: (error: Error) => void): void {
    writev(this.#descriptor, buffers.slice(0, WRITEV_BUFFERS_MAX), at, (error, written) => {
      try {
        if (error) throw error;
        const rest = withoutFirst(buffers, this.#checkProgress(written));
        if (rest.length === 0) resolve();
        else this.#writeRest(at + written, rest, resolve, reject);
      } catch (failure) {
        reject(diskError('write', this.#path, failure));
      }
    });
  }

  /** POSIX allows a write of nothing without an error; repeated for ever, it would hang. */
  #checkProgress(written: number): number {
    if (written > 0) return written;
    throw new DiskError('EIO', this.#path, `write to ${this.#path}: the system took no byte and gave no error`);
  }

  #checkOpen(): void {
    assert(this.#isOpen, () => `${this.#path} used after its close`);
  }
}

/** What is left of `buffers` after their first `length` bytes. */
function withoutFirst(buffers: Uint8Array[], length: number): Uint8Array[] {
  let index = 0;
  let rest = length;
  while (index < buffers.length && rest >= buffers[index]!.length) rest -= buffers[index++]!.length;
  const left = buffers.slice(index);
  if (rest > 0) left[0] = left[0]!.subarray(rest);
  return left;
}

function wholeUnits(byteCount: number): number {
  return byteCount - (byteCount % DIRECT_UNIT_BYTES);
}
