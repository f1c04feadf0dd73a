/**
 * How much of a file is stored. Each byte is told once: what goes to another chunk because a member failed, or is sent again
 * because the master lost the upload, was told before.
 */
export class UploadProgress {
  readonly #tell: (bytes: number) => void;
  #toldBytes = 0;

  constructor(tell: (bytes: number) => void) {
    this.#tell = tell;
  }

  /** For one try from the file's first byte on: takes bytes that were stored, below 0 those that go elsewhere after all. */
  begin(): (bytes: number) => void {
    let storedBytes = 0;
    return (bytes) => {
      storedBytes += bytes;
      const more = storedBytes - this.#toldBytes;
      if (more <= 0) return;
      this.#toldBytes = storedBytes;
      this.#tell(more);
    };
  }
}
