/**
 * Looks for chunks that need repair, a bounded step at a time, round and round: those that the log knows to be below their
 * goal, those of servers that were given up, and those of which a copy is bad. The last are queued when that is found; when
 * there was no room for them, they are found here. A scan goes on where there was no room, and each is the first of a round
 * in turn: so every chunk gets its room, however little there is.
 */
import type { Key } from '@cairnfs/base';
import type { ReplicaConditions } from '../cluster/replica-conditions.ts';
import type { ServerTable } from '../cluster/server-table.ts';
import type { MasterContext } from '../context.ts';
import { belowGoalRange, handleOfKey, handleOfMemberKey, memberRange } from '../state/keys.ts';

interface Range {
  readonly start: Key;
  readonly end: Key;
}

interface RepairScansParts {
  readonly servers: ServerTable;
  readonly conditions: ReplicaConditions;
  /** Takes a chunk that may need repair; false when there is no room for any. */
  readonly enqueue: (handle: string) => boolean;
}

export class RepairScans {
  readonly #context: MasterContext;
  readonly #parts: RepairScansParts;
  #belowCursor: string = belowGoalRange.start;
  /** Where the scan of the chunks of each server that was given up has got to; done when it is at the end. */
  readonly #serverCursors = new Map<number, string>();
  /** Where the scan of the copies that are known to be bad has got to. */
  #badCursor: Iterator<string> | undefined;
  /** Of those, the one that found no room. */
  #badHeld: string | undefined;
  #roundCount = 0;

  constructor(context: MasterContext, parts: RepairScansParts) {
    this.#context = context;
    this.#parts = parts;
  }

  /** The steps of one round, about 10 ms each. */
  steps(): (() => void)[] {
    const { servers } = this.#parts;
    const givenUp = [...servers.all].map(({ id }) => id).filter((id) => servers.isGivenUp(id));
    for (const id of this.#serverCursors.keys()) if (!givenUp.includes(id)) this.#serverCursors.delete(id);
    const scans = [
      () => this.#scanBelowGoal(),
      () => this.#scanBad(),
      ...givenUp.map((id) => () => this.#scanServer(id)),
    ];
    this.#roundCount += 1;
    const first = this.#roundCount % scans.length;
    return [...scans.slice(first), ...scans.slice(0, first)];
  }

  #scanBelowGoal(): void {
    this.#belowCursor = this.#scan(belowGoalRange, this.#belowCursor, handleOfKey);
  }

  #scanServer(server: number): void {
    const range = memberRange(server);
    const cursor = this.#serverCursors.get(server) ?? range.start;
    this.#serverCursors.set(server, this.#scan(range, cursor, handleOfMemberKey));
  }

  /** @returns where to go on. */
  #scan({ start, end }: Range, cursor: Key, handleOf: (key: Key) => string): Key {
    const { config, decisions } = this.#context;
    const { repairScanStep } = config.bounds;
    const entries = decisions.read().range({ start: cursor, end }, repairScanStep);
    for (const { key } of entries) if (!this.#parts.enqueue(handleOf(key))) return key;
    return entries.length < repairScanStep ? start : `${entries.at(-1)!.key}\0`;
  }

  #scanBad(): void {
    this.#badCursor ??= this.#parts.conditions.handles();
    for (let count = 0; count < this.#context.config.bounds.repairScanStep; count += 1) {
      const next = this.#badHeld === undefined ? this.#badCursor.next() : { done: false, value: this.#badHeld };
      this.#badHeld = undefined;
      if (next.done === true) {
        this.#badCursor = undefined;
        return;
      }
      if (!this.#parts.enqueue(next.value)) {
        this.#badHeld = next.value;
        return;
      }
    }
  }
}
