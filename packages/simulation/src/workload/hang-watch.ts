/**
 * A disk that does not answer is given up in time (docs/operations.md, `disk_timeout`): its server says that it is out of
 * service, or ends. Until then all that waits for it waits with it, while heartbeats go on; nothing else in a run tells, since
 * a disk answers again when its fault is over, and its process is then started anew.
 */
import type { TraceEntry } from '@cairnfs/sim';
import { secondsOf, type Violation } from '../checks/violation.ts';

const FAULT = 'fault';
const FAULT_ENDS = 'end';
/** What ends all that a process waits for. */
const LIVES: ReadonlySet<string> = new Set(['start', 'crash']);
const STALL = 'stall';
const GIVEN_UP: ReadonlySet<string> = new Set(['error disk failed', 'error disk not in service']);
/** Time is counted in ticks of a second, the first and the last of them not whole, on a clock that may run slow. */
const MARGIN_MS = 5000;

/** One disk of a server, or its journal. */
interface Hang {
  readonly host: string;
  readonly directory: string;
  /** Since when the process waits for it, without what it did not run; undefined when it does not. */
  sinceMs: number | undefined;
}

export class HangWatch {
  readonly #limitMs: number;
  readonly #note: (violation: Violation) => void;
  /** By the number of the fault. */
  readonly #hangs = new Map<number, Hang>();
  /** By host: the disks that the process now running does without. */
  readonly #givenUp = new Map<string, Set<string>>();

  /** @param diskTimeoutMs as the servers' configuration has it. */
  constructor(diskTimeoutMs: number, note: (violation: Violation) => void) {
    this.#limitMs = diskTimeoutMs + MARGIN_MS;
    this.#note = note;
  }

  /** The disk, which hangs by that fault, was to answer something. */
  heldBack(fault: number, { atMs, host, directory }: { atMs: number; host: string; directory: string }): void {
    const hang = this.#hangs.get(fault) ?? { host, directory, sinceMs: undefined };
    this.#hangs.set(fault, hang);
    if (this.#givenUp.get(host)?.has(directory) !== true) hang.sinceMs ??= atMs;
  }

  logged({ atMs, host, event, fields }: TraceEntry): void {
    if (host === FAULT) {
      if (event === FAULT_ENDS) this.#judge(Number(fields.id), atMs);
    } else if (LIVES.has(event)) {
      this.#givenUp.delete(host);
      for (const hang of this.#of(host)) hang.sinceMs = undefined;
    } else if (event === STALL) {
      for (const hang of this.#of(host)) if (hang.sinceMs !== undefined) hang.sinceMs += Number(fields.durationMs);
    } else if (GIVEN_UP.has(event)) {
      const directory = String(fields.directory);
      this.#givenUp.set(host, (this.#givenUp.get(host) ?? new Set()).add(directory));
      for (const hang of this.#of(host)) if (hang.directory === directory) hang.sinceMs = undefined;
    }
  }

  #of(host: string): Hang[] {
    return [...this.#hangs.values()].filter((hang) => hang.host === host);
  }

  #judge(fault: number, atMs: number): void {
    const hang = this.#hangs.get(fault);
    if (hang?.sinceMs === undefined || atMs - hang.sinceMs <= this.#limitMs) return;
    const { host, directory, sinceMs } = hang;
    const waitedS = Math.round((atMs - sinceMs) / 1000);
    const summary = `${host} has waited ${waitedS} s for disk '${directory}', which did not answer, and goes on with it`;
    const details = `since ${secondsOf(sinceMs)}; fault ${fault} ended at ${secondsOf(atMs)}`;
    this.#note({ check: 'given-up', summary, details });
  }
}
