/**
 * Looks for chunks that need repair, a bounded step at a time, round and round: those that the log knows to be below their
 * goal, those of servers that were given up, and those of which a copy is bad. The last are queued when that is found; when
 * there was no room for them, they are found here.
 *
 * Steps are of any length up to the bound, and each scan is the first of a round in turn: with little room, and steps that
 * begin where others ended before, the same chunks would find all of it each time.
 */
import type { Key } from '@cairnfs/base';
import type { ReplicaConditions } from '../cluster/replica-conditions.ts';
import type { ServerTable } from '../cluster/server-table.ts';
import type { MasterContext } from '../context.ts';
import { belowGoalRange, handleOfKey, handleOfMemberKey, memberRange } from '../state/keys.ts';

/** Its multiples, without what is before the point, never repeat and lie evenly from 0 to 1. */
const GOLDEN_RATIO = (Math.sqrt(5) - 1) / 2;

interface Range {
  readonly start: Key;
  readonly end: Key;
}

interface RepairScansParts {
  readonly servers: ServerTable;
  readonly conditions: ReplicaConditions;
  /** Takes a chunk that may need repair, if there is room. */
  readonly enqueue: (handle: string) => void;
}

export class RepairScans {
  readonly #context: MasterContext;
  readonly #parts: RepairScansParts;
  #belowCursor: string = belowGoalRange.start;
  /** Where the scan of the chunks of each server that was given up has got to; done when it is at the end. */
  readonly #serverCursors = new Map<number, string>();
  /** Where the scan of the copies that are known to be bad has got to. */
  #badCursor: Iterator<string> | undefined;
  #roundCount = 0;
  #stepCount = 0;

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
    const step = this.#step();
    const entries = this.#context.decisions.read().range({ start: cursor, end }, step);
    for (const { key } of entries) this.#parts.enqueue(handleOf(key));
    return entries.length < step ? start : `${entries.at(-1)!.key}\0`;
  }

  #scanBad(): void {
    this.#badCursor ??= this.#parts.conditions.handles();
    for (let count = this.#step(); count > 0; count -= 1) {
      const next = this.#badCursor.next();
      if (next.done === true) {
        this.#badCursor = undefined;
        return;
      }
      this.#parts.enqueue(next.value);
    }
  }

  #step(): number {
    this.#stepCount += 1;
    const ratio = (this.#stepCount * GOLDEN_RATIO) % 1;
    return 1 + Math.floor(ratio * this.#context.config.bounds.repairScanStep);
  }
}
