/**
 * Uploads that the master began before their files were there (docs/protocol.md, "Uploads"). A client that writes one
 * small file after the other asks for the next upload when it confirms one, and so has its plan without a call.
 *
 * The master forgets one that is not used within its lease, or when it crashes; then the file is begun anew.
 */
import type { Clock } from '@cairnfs/base';
import type { BeginUploadReply } from '@cairnfs/protocol';
import { SPARE_UPLOADS_MAX, SPARE_WITHIN_MS } from '../limits.ts';

interface Spare {
  readonly upload: BeginUploadReply;
  /** As asked for; 0 is the cluster's default. */
  readonly replication: number;
  readonly untilMs: number;
}

export class SpareUploads {
  readonly #clock: Clock;
  #spares: Spare[] = [];
  /** Asked for, and not answered yet. */
  #askedCount = 0;
  #begunAtMs: number | undefined;
  #isInARow = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** For a small file that begins now: an upload of one chunk with so many copies, if there is one. */
  take(replication: number): BeginUploadReply | undefined {
    const nowMs = this.#clock.nowMs();
    this.#isInARow = this.#begunAtMs !== undefined && nowMs - this.#begunAtMs <= SPARE_WITHIN_MS;
    this.#begunAtMs = nowMs;
    this.#spares = this.#spares.filter(({ untilMs }) => nowMs < untilMs);
    const index = this.#spares.findIndex((spare) => spare.replication === replication);
    return index < 0 ? undefined : this.#spares.splice(index, 1)[0]!.upload;
  }

  /** Asks by `ask` for one with so many copies while small files come one after the other; else `ask` is told not to. */
  async refill<T extends { readonly spare: BeginUploadReply | undefined }>(
    replication: number,
    ask: (wantsSpare: boolean) => Promise<T>,
  ): Promise<T> {
    if (!this.#isInARow || this.#spares.length + this.#askedCount >= SPARE_UPLOADS_MAX) return ask(false);
    this.#askedCount += 1;
    const askedAtMs = this.#clock.nowMs();
    try {
      const reply = await ask(true);
      const { spare: upload } = reply;
      // Half of the lease is left for storing the bytes and confirming them.
      if (upload !== undefined) this.#spares.push({ upload, replication, untilMs: askedAtMs + upload.leaseMs / 2 });
      return reply;
    } finally {
      this.#askedCount -= 1;
    }
  }

  /** Ids of all that are left; they are not given out any more. */
  takeAll(): string[] {
    return this.#spares.splice(0).map(({ upload }) => upload.uploadId);
  }

  /** The master has forgotten one: it has been restarted, and knows none of them. */
  forgetAll(): void {
    this.#spares = [];
  }
}
