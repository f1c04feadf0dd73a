/**
 * Whether servers answer only while they may, as they send their answers. Nobody serves without a server lease (docs/protocol.md,
 * "A server's right to serve"): so long after a heartbeat that was answered had left. And once the master has confirmed a view, nobody says
 * anything under an earlier version: who stayed has promised it, who left has promised it or has no lease. And a secondary never
 * finds that what it has staged is not what its primary has, unless bits have rotted on its disk.
 *
 * Clients see a breach of it only when they read the very bytes that another view has changed meanwhile; here it shows as soon
 * as anything is answered.
 */
import {
  ChunkserverDataMethods,
  ChunkserverPeerMethods,
  type ErrorDetail,
  MasterControlMethods,
} from '@cairnfs/protocol';
import type { TraceEntry } from '@cairnfs/sim';
import { secondsOf, type Violation } from '../checks/violation.ts';
import { answers, requestOf, responseOf, type WireFrame, type WireListener } from '../wire/wire-tap.ts';

const { readChunk, mutateChunk } = ChunkserverDataMethods;
const { stageMutation } = ChunkserverPeerMethods;
const VIEW_CHANGED = 'info view changed';
const STARTED = 'start';
const BIT_ROT = 'bit rot';
/** Hosts' clocks may run slow by a hundredth (schedule/make-faults.ts). */
const DRIFT_MAX = 0.0105;

export class ServingWatch implements WireListener {
  readonly #leaseMs: number;
  readonly #note: (violation: Violation) => void;
  /** When the lease of each server's process ends at the latest, virtual. */
  readonly #untilMs = new Map<string, number>();
  /** By chunk: the version last confirmed, and when. */
  readonly #confirmed = new Map<string, { version: number; atMs: number }>();
  /** Servers that may find an entry of their index damaged. */
  readonly #rotten = new Set<string>();
  /** Told once for each server: what follows is the same. */
  readonly #told = new Set<string>();

  /** @param leaseMs of a server, as the master's configuration has it. */
  constructor(leaseMs: number, note: (violation: Violation) => void) {
    this.#leaseMs = leaseMs;
    this.#note = note;
  }

  logged({ atMs, host, event, fields }: TraceEntry): void {
    if (event === STARTED) this.#untilMs.delete(host);
    if (event === BIT_ROT) this.#rotten.add(host);
    if (event !== VIEW_CHANGED) return;
    this.#confirmed.set(String(fields.handle), { version: Number(fields.version), atMs });
  }

  sent(frame: WireFrame): void {
    if (frame.role === 'error') this.#judgeRefusal(frame);
    if (frame.role !== 'response') return;
    const beat = responseOf(frame, MasterControlMethods.heartbeat);
    if (beat !== undefined) {
      if (!beat.leaseWithheld) this.#extend(frame.to, frame.call.request.sentMs);
      return;
    }
    if (answers(frame, readChunk)) this.#judge(frame, requestOf(frame, readChunk)!);
    else if (answers(frame, stageMutation)) this.#judge(frame, requestOf(frame, stageMutation)!);
    // A primary serves under a later version than it was asked as well.
    else if (answers(frame, mutateChunk)) this.#judgeLease(frame);
  }

  #judgeRefusal(frame: WireFrame): void {
    if (frame.call.method.id !== stageMutation.id) return;
    const { kind, message } = frame.message as ErrorDetail;
    if (kind === 'DAMAGED' && !this.#rotten.has(frame.from))
      this.#report('order', frame, `${frame.from} refused a mutation of its primary: ${message}`);
  }

  #extend(server: string, sentMs: number): void {
    const untilMs = sentMs + this.#leaseMs * (1 + DRIFT_MAX);
    this.#untilMs.set(server, Math.max(untilMs, this.#untilMs.get(server) ?? 0));
  }

  #judge(frame: WireFrame, { handle, version }: { handle: string; version: number }): void {
    this.#judgeLease(frame);
    const confirmed = this.#confirmed.get(handle);
    if (confirmed === undefined || version >= confirmed.version) return;
    const what = `under version ${version}, after version ${confirmed.version} was confirmed at ${secondsOf(confirmed.atMs)}`;
    this.#report('views', frame, `chunk ${handle}: ${frame.from} answered ${frame.call.method.name} ${what}`);
  }

  #judgeLease(frame: WireFrame): void {
    const untilMs = this.#untilMs.get(frame.from) ?? Number.NEGATIVE_INFINITY;
    if (frame.sentMs <= untilMs) return;
    const since = untilMs < 0 ? 'before it had one' : `which ended at ${secondsOf(untilMs)}`;
    this.#report(
      'leases',
      frame,
      `${frame.from} answered ${frame.call.method.name} without its server lease, ${since}`,
    );
  }

  #report(check: string, { from, to, sentMs, call }: WireFrame, summary: string): void {
    const key = `${check} ${from}`;
    if (this.#told.has(key)) return;
    this.#told.add(key);
    this.#note({ check, summary, details: `at ${secondsOf(sentMs)}, call #${call.number} of ${to}` });
  }
}
