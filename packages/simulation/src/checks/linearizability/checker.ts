/**
 * Is there an order of the operations, each at some moment between its begin and its end, that the model explains? The
 * search of Wing and Gong (1993) with Lowe's memo of configurations (2017): what is under way is tried in order of end,
 * an operation that was taken is lifted out of a linked list of begins and ends, and put back when the search returns.
 *
 * Two things keep it short where histories are legal. Operations that change nothing are taken as soon as they fit, without
 * a choice. Optional ones are tried only where the others led nowhere.
 */
import { Configurations } from './configurations.ts';
import { EventList } from './event-list.ts';
import type { Interval, Model, Verdict } from './model.ts';

/**
 * Steps of a model before a history counts as undecided. Nearly all legal ones take a few for each operation; some of many
 * appends without an answer took more than 300,000, a second or two.
 */
export const STEPS_MAX = 1_000_000;

interface Frame<S> {
  readonly state: S;
  /** How many were taken before the operation that led here. */
  readonly takenBefore: number;
  /** Operations that may come next, in the order in which they are tried, and the first that is still to be. */
  readonly candidates: readonly number[];
  candidate: number;
  /** The operation tried last, and the states in which it may leave the object that are still to be tried. */
  operation: number;
  outcomes: readonly S[];
  outcome: number;
}

export function check<S, O>(
  model: Model<S, O>,
  intervals: readonly Interval<O>[],
  { stepsMax = STEPS_MAX }: { stepsMax?: number } = {},
): Verdict {
  return new Search(model, intervals, stepsMax).run();
}

/** Checks the parts of a history on their own; legal if all are (Herlihy and Wing: linearizability is local). */
export function checkParts<S, O>(
  model: Model<S, O>,
  intervals: readonly Interval<O>[],
  partOf: (operation: O) => number | string,
  options: { stepsMax?: number } = {},
): Verdict {
  const parts = new Map<number | string, number[]>();
  for (const [index, { operation }] of intervals.entries()) {
    const part = partOf(operation);
    const members = parts.get(part);
    if (members === undefined) parts.set(part, [index]);
    else members.push(index);
  }
  let undecided: Verdict | undefined;
  for (const members of parts.values()) {
    const places = new Map(members.map((index, place) => [index, place]));
    const part = members.map((index) => {
      const { after = [], ...interval } = intervals[index]!;
      return { ...interval, after: after.flatMap((other) => places.get(other) ?? []) };
    });
    const verdict = check(model, part, options);
    if (verdict.kind === 'violation') {
      const named = (places: readonly number[]) => places.map((place) => members[place]!);
      return { kind: 'violation', prefix: named(verdict.prefix), stuck: named(verdict.stuck) };
    }
    if (verdict.kind === 'undecided') undecided = verdict;
  }
  return undecided ?? { kind: 'ok' };
}

class Search<S, O> {
  readonly #model: Model<S, O>;
  readonly #intervals: readonly Interval<O>[];
  readonly #events: EventList;
  /** In order of begin. Those that change nothing are left out: they need not have happened and say nothing. */
  readonly #optional: readonly number[];
  readonly #isObserver: readonly boolean[];
  readonly #configurations: Configurations;
  /** What was taken, in order. */
  readonly #taken: number[] = [];
  #requiredLeft: number;
  #stepsLeft: number;
  #prefix: readonly number[] = [];

  constructor(model: Model<S, O>, intervals: readonly Interval<O>[], stepsMax: number) {
    this.#model = model;
    this.#intervals = intervals;
    this.#events = new EventList(intervals);
    this.#isObserver = intervals.map(({ operation }) => model.isObserver?.(operation) === true);
    this.#optional = [...intervals.keys()]
      .filter((index) => intervals[index]!.isOptional && !this.#isObserver[index])
      .sort((a, b) => intervals[a]!.begin - intervals[b]!.begin);
    this.#configurations = new Configurations(intervals.length);
    this.#requiredLeft = intervals.reduce((sum, { isOptional }) => sum + (isOptional ? 0 : 1), 0);
    this.#stepsLeft = stepsMax;
  }

  run(): Verdict {
    const stack: Frame<S>[] = [];
    let entered = this.#enter(this.#model.initial, 0);
    while (this.#requiredLeft > 0) {
      if (entered !== undefined) stack.push(entered);
      const frame = stack.at(-1);
      if (frame === undefined) return { kind: 'violation', prefix: this.#prefix, stuck: this.#stuckAfter() };
      if (this.#stepsLeft <= 0) return { kind: 'undecided' };
      const takenBefore = this.#taken.length;
      const state = this.#advance(frame);
      if (state === undefined) {
        stack.pop();
        this.#putBack(frame.takenBefore);
        entered = undefined;
      } else {
        entered = this.#enter(state, takenBefore);
      }
    }
    return { kind: 'ok' };
  }

  /** Takes what changes nothing and fits. Undefined, and all of it put back, when the search has been here before. */
  #enter(state: S, takenBefore: number): Frame<S> | undefined {
    for (let event = this.#events.first; this.#events.isBegin(event); event = this.#events.next(event)) {
      const index = event >> 1;
      if (!this.#isObserver[index] || !this.#mayFollow(index) || this.#step(state, index) === undefined) continue;
      this.#take(index);
    }
    if (this.#requiredLeft > 0 && !this.#configurations.add(this.#model.key(state))) {
      this.#putBack(takenBefore);
      return undefined;
    }
    const candidates = this.#candidates();
    return { state, takenBefore, candidates, candidate: 0, operation: -1, outcomes: [], outcome: 0 };
  }

  /** Takes the next operation that can come at this place, or has the last one end differently; answers the state after it. */
  #advance(frame: Frame<S>): S | undefined {
    if (frame.outcome === frame.outcomes.length && !this.#tryNext(frame)) return undefined;
    const state = frame.outcomes[frame.outcome]!;
    frame.outcome += 1;
    this.#take(frame.operation);
    return state;
  }

  #tryNext(frame: Frame<S>): boolean {
    while (frame.candidate < frame.candidates.length) {
      const index = frame.candidates[frame.candidate]!;
      frame.candidate += 1;
      if (this.#tryOne(frame, index)) return true;
    }
    return false;
  }

  /** What must end soonest comes first: what can wait may still turn out to be better later. Optional ones come last. */
  #candidates(): number[] {
    const candidates: number[] = [];
    let event = this.#events.first;
    for (; this.#events.isBegin(event); event = this.#events.next(event)) {
      if (!this.#isObserver[event >> 1]) candidates.push(event >> 1);
    }
    if (candidates.length > 1) candidates.sort((a, b) => this.#intervals[a]!.end - this.#intervals[b]!.end);
    const horizon = this.#events.moment(event);
    for (const index of this.#optional) {
      if (this.#intervals[index]!.begin > horizon) break;
      if (!this.#configurations.has(index)) candidates.push(index);
    }
    return candidates;
  }

  #tryOne(frame: Frame<S>, index: number): boolean {
    if (!this.#mayFollow(index)) return false;
    const outcomes = this.#step(frame.state, index);
    if (outcomes === undefined) return false;
    frame.operation = index;
    frame.outcomes = outcomes;
    frame.outcome = 0;
    return outcomes.length > 0;
  }

  #mayFollow(index: number): boolean {
    const { after } = this.#intervals[index]!;
    return after === undefined || after.every((other) => this.#configurations.has(other));
  }

  #step(state: S, index: number): readonly S[] | undefined {
    this.#stepsLeft -= 1;
    return this.#model.step(state, this.#intervals[index]!.operation);
  }

  #take(index: number): void {
    this.#configurations.flip(index);
    this.#taken.push(index);
    if (this.#intervals[index]!.isOptional) return;
    this.#events.lift(index);
    this.#requiredLeft -= 1;
  }

  /** Puts back what was taken, down to so many. */
  #putBack(count: number): void {
    if (this.#taken.length > this.#prefix.length) this.#prefix = this.#taken.slice();
    while (this.#taken.length > count) {
      const index = this.#taken.pop()!;
      this.#configurations.flip(index);
      if (this.#intervals[index]!.isOptional) continue;
      this.#events.putBack(index);
      this.#requiredLeft += 1;
    }
  }

  /** The operations that had to come next after the longest prefix, or never could. */
  #stuckAfter(): number[] {
    for (const index of this.#prefix) this.#take(index);
    const horizon = this.#events.horizon();
    const isLeft = (index: number) => !this.#intervals[index]!.isOptional && !this.#configurations.has(index);
    return [...this.#intervals.keys()].filter((index) => isLeft(index) && this.#intervals[index]!.begin <= horizon);
  }
}
