/** The frames of an upload in order, with those first that a failed chunk gave back. */
import { FRAME_BYTES, type UploadSource } from './upload-source.ts';

export class FrameQueue {
  readonly #source: UploadSource | undefined;
  #returned: Uint8Array[];

  constructor(source: UploadSource | undefined, returned: readonly Uint8Array[] = []) {
    this.#source = source;
    this.#returned = [...returned];
  }

  async next(): Promise<Uint8Array | undefined> {
    return this.#returned.shift() ?? this.#source?.next(FRAME_BYTES);
  }

  /** These come first, before those given back earlier. */
  giveBack(frames: readonly Uint8Array[]): void {
    this.#returned = [...frames, ...this.#returned];
  }
}
