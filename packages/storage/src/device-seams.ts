/** What a device holds, reached through the device alone: its files, and its state stores, which are watched with them. */
import type { DiskDevice, Key, OpenStateStore, Seams, StateChange, StateStore } from '@cairnfs/base';

export type OnDevice<S> = Omit<S, 'disk'> & { readonly disk: DiskDevice };

/** The seams for one device of those that `seams` reach. */
export function onDevice<S extends Pick<Seams, 'disk' | 'openStateStore'>>(seams: S): OnDevice<S> {
  const disk = seams.disk.device();
  const openStateStore: OpenStateStore = async (directory, options) => {
    const store = await disk.run(() => seams.openStateStore(directory, { ...options, disk }));
    return new StateStoreOnDevice(store, disk);
  };
  return { ...seams, disk, openStateStore };
}

class StateStoreOnDevice implements StateStore {
  readonly #store: StateStore;
  readonly #device: DiskDevice;

  constructor(store: StateStore, device: DiskDevice) {
    this.#store = store;
    this.#device = device;
  }

  get(key: Key): Uint8Array | undefined {
    return this.#store.get(key);
  }

  load(key: Key): Uint8Array | undefined | Promise<Uint8Array | undefined> {
    const value = this.#store.load(key);
    return value instanceof Promise ? this.#device.run(() => value) : value;
  }

  range(start: Key, end: Key, limit: number): { key: Key; value: Uint8Array }[] {
    return this.#store.range(start, end, limit);
  }

  write(changes: Iterable<StateChange>): Promise<void> {
    return this.#device.run(() => this.#store.write(changes));
  }

  flushed(): Promise<void> {
    return this.#device.run(() => this.#store.flushed());
  }

  sizeBytes(): number {
    return this.#store.sizeBytes();
  }

  close(): Promise<void> {
    return this.#device.run(() => this.#store.close());
  }
}
