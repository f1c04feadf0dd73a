/**
 * Room for the calls that one disk works for, those that wait for it included: a disk that is slower than what is asked
 * of it would gather them, and the memory they hold, without end. Past it a call is refused at once, and its client asks
 * another replica or comes back later.
 */
import { assert, FsError } from '@cairnfs/base';

export interface DiskRoomOptions {
  readonly directory: string;
  /** For messages: "reads". */
  readonly work: string;
  readonly callsMax: number;
  /** Memory that they hold together; a single call always fits. */
  readonly bytesMax: number;
}

export class DiskRoom {
  readonly #options: DiskRoomOptions;
  #calls = 0;
  #bytes = 0;

  constructor(options: DiskRoomOptions) {
    this.#options = options;
  }

  /** One call more; `leave` with the same number when it has ended. @throws FsError OVERLOADED */
  enter(bytes: number): void {
    const { directory, work, callsMax, bytesMax } = this.#options;
    if (this.#calls >= callsMax || (this.#calls > 0 && this.#bytes + bytes > bytesMax)) {
      throw new FsError(
        'OVERLOADED',
        `disk ${directory} is behind with ${this.#calls} ${work} of ${this.#bytes} bytes, more may not wait: try again`,
        { details: { calls: this.#calls, bytes: this.#bytes } },
      );
    }
    this.#calls += 1;
    this.#bytes += bytes;
  }

  leave(bytes: number): void {
    this.#calls -= 1;
    this.#bytes -= bytes;
    assert(this.#calls >= 0 && this.#bytes >= 0, () => `${this.#calls} calls of ${this.#bytes} bytes are left`);
  }
}
