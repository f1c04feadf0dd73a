/** The definition of linearizability, word by word: slow, and short enough to be believed. The checker is compared with it. */
import type { Interval, Model } from './model.ts';
import type { Call } from './sample-models.ts';

/** Tries every order of every selection that leaves out only optional ones. */
export function explainedByBruteForce<S>(model: Model<S, Call>, intervals: readonly Interval<Call>[]): boolean {
  const isLegalFrom = (state: S, left: readonly Interval<Call>[]): boolean => {
    if (left.every(({ isOptional }) => isOptional)) return true;
    return left.some((next) => {
      const others = left.filter((other) => other !== next);
      // Nothing that ended before `next` began may come after it.
      if (others.some(({ isOptional, end }) => !isOptional && end < next.begin)) return false;
      return (model.step(state, next.operation) ?? []).some((outcome) => isLegalFrom(outcome, others));
    });
  };
  return isLegalFrom(model.initial, intervals);
}

/** Numbers below a bound from a seed (mulberry32). */
export function drawer(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) % below;
  };
}

/** Two to seven operations with few values, so that many histories are legal and many are not. */
export function drawHistory(draw: (below: number) => number, kinds: readonly Call['kind'][]): Interval<Call>[] {
  return Array.from({ length: 2 + draw(6) }, () => {
    const kind = kinds[draw(kinds.length)]!;
    const begin = draw(20);
    const value = kind === 'take' ? draw(4) - 1 : draw(3);
    const offset = kind === 'append' && draw(2) === 0 ? { offset: draw(3) } : {};
    return { operation: { kind, value, ...offset }, begin, end: begin + 1 + draw(12), isOptional: draw(5) === 0 };
  });
}
