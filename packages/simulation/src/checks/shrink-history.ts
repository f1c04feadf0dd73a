/** Makes a history that breaks a promise smaller, so that a person can see what is wrong with it. */
import type { Operation } from '../history/operation.ts';

/**
 * Cuts the history off where it first goes wrong, then leaves out observations that are not needed. Both are sound: a
 * legal history stays legal when it is cut off at a moment (what was under way then has an unknown outcome) and when
 * someone has not looked.
 */
export function shrinkHistory<C, R>(
  operations: readonly Operation<C, R>[],
  isObservation: (operation: Operation<C, R>) => boolean,
  isViolation: (operations: readonly Operation<C, R>[]) => boolean,
): readonly Operation<C, R>[] {
  const moments = operations.flatMap(({ end }) => (Number.isFinite(end) ? [end] : [])).sort((a, b) => a - b);
  let low = 0;
  let high = moments.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isViolation(cutOff(operations, moments[middle]!))) high = middle;
    else low = middle + 1;
  }
  let smallest = moments.length === 0 ? operations : cutOff(operations, moments[low]!);
  // A verdict that ran out of work may say otherwise of a part than of the whole.
  if (!isViolation(smallest)) smallest = operations;
  for (const operation of smallest.filter(isObservation)) {
    const others = smallest.filter((other) => other !== operation);
    if (isViolation(others)) smallest = others;
  }
  return smallest;
}

function cutOff<C, R>(operations: readonly Operation<C, R>[], moment: number): Operation<C, R>[] {
  return operations
    .filter(({ begin }) => begin <= moment)
    .map((operation) =>
      operation.end <= moment
        ? operation
        : { ...operation, end: Number.POSITIVE_INFINITY, outcome: { kind: 'unknown' } },
    );
}
