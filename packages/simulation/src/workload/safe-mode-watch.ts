/**
 * Whether a master that has just started acts on what it has not seen (docs/protocol.md, "Repair and garbage"): before all
 * chunkservers it knows have shown what they hold, it orders no copy and moves nothing to quarantine, for a server lease at
 * the least. Afterwards a part of them is enough, which part is left to its own tests.
 */
import { ChunkserverControlMethods, MasterControlMethods } from '@cairnfs/protocol';
import type { TraceEntry } from '@cairnfs/sim';
import { secondsOf, type Violation } from '../checks/violation.ts';
import { answers, requestOf, responseOf, type WireFrame, type WireListener } from '../wire/wire-tap.ts';

const MASTER = 'master';
const STARTED = 'start';
const REGISTERED = 'info chunkserver registered';
/** The master's clock may run fast by a hundredth. */
const DRIFT_MAX = 0.0105;

export class SafeModeWatch implements WireListener {
  readonly #waitMs: number;
  readonly #note: (violation: Violation) => void;
  /** Hosts of all chunkservers that have ever registered. */
  readonly #known = new Set<string>();
  /** Of which the master now running has all. */
  readonly #shown = new Set<string>();
  /** They have all been seen by it once: it has left safe mode for good. */
  #isOver = false;
  #startedAtMs = 0;

  /** @param waitMs so long after its start, a master waits for all. */
  constructor(waitMs: number, note: (violation: Violation) => void) {
    this.#waitMs = waitMs * (1 - DRIFT_MAX);
    this.#note = note;
  }

  logged({ atMs, host, event, fields }: TraceEntry): void {
    if (host !== MASTER) return;
    if (event === STARTED) {
      this.#startedAtMs = atMs;
      this.#shown.clear();
      this.#isOver = false;
    } else if (event === REGISTERED) {
      this.#known.add(hostOf(String(fields.address)));
    }
  }

  sent(frame: WireFrame): void {
    if (this.#isOver) return;
    if (answers(frame, MasterControlMethods.reportInventory)) {
      if (requestOf(frame, MasterControlMethods.reportInventory)!.last) this.#shown.add(frame.to);
      this.#isOver = this.#shown.size === this.#known.size;
      return;
    }
    const ordered = responseOf(frame, MasterControlMethods.heartbeat)?.quarantine.length ?? 0;
    if (ordered > 0) this.#acted(frame, `ordered ${ordered} replicas into quarantine`);
    else if (frame.role === 'request' && requestOf(frame, ChunkserverControlMethods.cloneReplica) !== undefined)
      this.#acted(frame, 'ordered a copy');
  }

  #acted({ sentMs, to }: WireFrame, what: string): void {
    if (sentMs - this.#startedAtMs >= this.#waitMs) return;
    this.#isOver = true; // told once
    const summary = `the master ${what} when ${this.#shown.size} of ${this.#known.size} chunkservers had shown what they hold`;
    const details = `at ${secondsOf(sentMs)}, to ${to}; it had started at ${secondsOf(this.#startedAtMs)}`;
    this.#note({ check: 'safe-mode', summary, details });
  }
}

function hostOf(address: string): string {
  return address.slice(0, address.lastIndexOf(':'));
}
