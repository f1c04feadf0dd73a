/** The frames of an upload in order, with those first that a failed chunk gave back. */
import { unlessAborted } from '../call/unless-aborted.ts';
import { FRAME_BYTES, type UploadSource } from './upload-source.ts';

export class FrameQueue {
  readonly #source: UploadSource | undefined;
  readonly #signal: AbortSignal | undefined;
  #returned: Uint8Array[];

  constructor(source: UploadSource | undefined, returned: readonly Uint8Array[], signal?: AbortSignal) {
    this.#source = source;
    this.#signal = signal;
    this.#returned = [...returned];
  }

  /** @throws what the source throws; the signal's reason, also while the source has nothing to give. */
  async next(): Promise<Uint8Array | undefined> {
    const returned = this.#returned.shift();
    if (returned !== undefined || this.#source === undefined) return returned;
    return unlessAborted(this.#source.next(FRAME_BYTES), this.#signal);
  }

  /** These come first, before those given back earlier. */
  giveBack(frames: readonly Uint8Array[]): void {
    this.#returned = [...frames, ...this.#returned];
  }
}
