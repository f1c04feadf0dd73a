/**
 * An open file. Reads, syncs and large writes run in libuv's thread pool, as the queue of its device lets them; small
 * writes on the spot, while the device answers. Bulk data goes past
 * the page cache where the file system can (O_DIRECT, Linux), through a second descriptor of the same file.
 */
import { close, constants, fdatasync, fstat, ftruncate, open, read, write, writev, writevSync } from 'node:fs';
import { assert, DiskError, type DiskFile, isPageAligned } from '@cairnfs/base';
import { DIRECT_BYTES_MIN, DIRECT_UNIT_BYTES, SYNC_WRITE_BYTES_MAX, WRITEV_BUFFERS_MAX } from '../limits.ts';
import type { DeviceQueue } from './device-queue.ts';
import { diskError } from './disk-error.ts';

const NOTHING_READ = Promise.resolve(0);
const NOTHING_WRITTEN = Promise.resolve();

interface RestToWrite {
  readonly at: number;
  readonly buffers: Uint8Array[];
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class RuntimeFile implements DiskFile {
  readonly #path: string;
  readonly #descriptor: number;
  readonly #queue: DeviceQueue;
  #isOpen = true;
  /** Opened by the first bulk access; resolves to undefined where there is no direct I/O. */
  #direct: Promise<number | undefined> | undefined;
  /** The device refused direct access: its units are larger than ours. */
  #refusesDirect = false;

  constructor(path: string, descriptor: number, queue: DeviceQueue) {
    this.#path = path;
    this.#descriptor = descriptor;
    this.#queue = queue;
  }

  read(position: number, target: Uint8Array): Promise<number> {
    this.#checkOpen();
    if (target.length === 0) return NOTHING_READ;
    return new Promise((resolve, reject) => {
      const queue = this.#queue;
      const readFrom = (slot: number, filled = 0): void => {
        const length = target.length - filled;
        read(this.#descriptor, target, filled, length, position + filled, (error, bytesRead) => {
          if (error === null && bytesRead > 0 && bytesRead < length) {
            readFrom(slot, filled + bytesRead);
            return;
          }
          queue.end(slot);
          if (error !== null) reject(diskError('read', this.#path, error));
          else resolve(filled + bytesRead);
        });
      };
      queue.begin('other', readFrom, reject);
    });
  }

  write(position: number, buffers: readonly Uint8Array[]): Promise<void> {
    this.#checkOpen();
    const pending = buffers.filter((buffer) => buffer.length > 0);
    let length = 0;
    for (const buffer of pending) length += buffer.length;
    if (length > SYNC_WRITE_BYTES_MAX || this.#queue.isStalled) {
      if (length === 0) return NOTHING_WRITTEN;
      return new Promise((resolve, reject) => {
        const begin = (slot: number): void =>
          this.#writeRest(slot, { at: position, buffers: pending, resolve, reject });
        this.#queue.begin('other', begin, reject);
      });
    }
    const { failure } = this.#queue;
    if (failure !== undefined) return Promise.reject(failure);
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
    return this.#perform('sync', 'sync', (done) => fdatasync(this.#descriptor, done));
  }

  truncate(sizeBytes: number): Promise<void> {
    this.#checkOpen();
    return this.#perform('other', 'truncation', (done) => ftruncate(this.#descriptor, sizeBytes, done));
  }

  size(): Promise<number> {
    this.#checkOpen();
    return new Promise((resolve, reject) => {
      const begin = (slot: number): void => {
        fstat(this.#descriptor, (error, { size } = { size: 0 } as never) => {
          this.#queue.end(slot);
          if (error) reject(diskError('stat', this.#path, error));
          else resolve(size);
        });
      };
      this.#queue.begin('other', begin, reject);
    });
  }

  async close(): Promise<void> {
    this.#checkOpen();
    this.#isOpen = false;
    const direct = await this.#direct;
    if (direct !== undefined) await this.#close(direct);
    await this.#close(this.#descriptor);
  }

  /** Of a device that was given up nothing is closed: it would hang, too. */
  async #close(descriptor: number): Promise<void> {
    if (this.#queue.failure !== undefined) return;
    await this.#perform('other', 'close', (done) => close(descriptor, done));
  }

  #perform(
    kind: 'sync' | 'other',
    name: string,
    operate: (done: (error: NodeJS.ErrnoException | null) => void) => void,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const begin = (slot: number): void => {
        operate((error) => {
          this.#queue.end(slot);
          if (error) reject(diskError(name, this.#path, error));
          else resolve();
        });
      };
      this.#queue.begin(kind, begin, reject);
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
    this.#direct ??= new Promise((resolve, reject) => {
      if (O_DIRECT === undefined) {
        resolve(undefined);
        return;
      }
      const begin = (slot: number): void => {
        open(`/proc/self/fd/${this.#descriptor}`, O_RDWR | O_DIRECT, (error, descriptor) => {
          this.#queue.end(slot);
          resolve(error ? undefined : descriptor);
        });
      };
      this.#queue.begin('other', begin, reject);
    });
    return this.#direct;
  }

  /** @returns the bytes read, whole units: fewer at the end of the file, or when the rest has to go the ordinary way. */
  #readDirect(descriptor: number, position: number, target: Uint8Array): Promise<number> {
    return this.#moveDirect('read', (done) => read(descriptor, target, 0, target.length, position, done));
  }

  /** @returns the bytes written: fewer when the rest has to go the ordinary way. */
  #writeDirect(descriptor: number, position: number, bytes: Uint8Array): Promise<number> {
    return this.#moveDirect('write', (done) => write(descriptor, bytes, 0, bytes.length, position, done));
  }

  #moveDirect(
    name: string,
    operate: (done: (error: NodeJS.ErrnoException | null, moved: number) => void) => void,
  ): Promise<number> {
    return new Promise((resolve, reject) => {
      const begin = (slot: number): void => {
        operate((error, moved) => {
          this.#queue.end(slot);
          if (error === null) {
            resolve(wholeUnits(moved));
          } else if (error.code === 'EINVAL') {
            this.#refusesDirect = true;
            resolve(0);
          } else {
            reject(diskError(name, this.#path, error));
          }
        });
      };
      this.#queue.begin('other', begin, reject);
    });
  }

  #writeRest(slot: number, rest: RestToWrite): void {
    const { at, buffers, resolve, reject } = rest;
    writev(this.#descriptor, buffers.slice(0, WRITEV_BUFFERS_MAX), at, (error, written) => {
      try {
        if (error) throw error;
        const left = withoutFirst(buffers, this.#checkProgress(written));
        if (left.length > 0) {
          this.#writeRest(slot, { at: at + written, buffers: left, resolve, reject });
          return;
        }
      } catch (failure) {
        this.#queue.end(slot);
        reject(diskError('write', this.#path, failure));
        return;
      }
      this.#queue.end(slot);
      resolve();
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
