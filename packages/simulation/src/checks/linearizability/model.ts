/** What the checker needs to know of an object: its states, and what an operation with its outcome does to them. */
import type { Moment } from '../../history/operation.ts';

export interface Model<S, O> {
  readonly initial: S;
  /**
   * The states in which the operation, with the outcome that its client saw, may leave the object; `undefined` when it
   * could not have had that outcome here. A pure function.
   */
  step(state: S, operation: O): readonly S[] | undefined;
  /** The same for equal states and for no others. */
  key(state: S): number | string;
  /** Whether the operation never changes a state. Such a one is taken as soon as it fits: waiting could not help it. */
  isObserver?(operation: O): boolean;
}

/** An operation as the checker orders it. */
export interface Interval<O> {
  readonly operation: O;
  readonly begin: Moment;
  /** It took effect before. Ignored when it is optional. */
  readonly end: Moment;
  /** It may take effect at any time after its begin, or never. */
  readonly isOptional: boolean;
  /** Indices of intervals that must come before this one, although they may be under way at the same time. */
  readonly after?: readonly number[];
}

export type Verdict =
  | { readonly kind: 'ok' }
  /** Indices of the longest run of operations, in order, that some order explains, and of those that could not follow. */
  | { readonly kind: 'violation'; readonly prefix: readonly number[]; readonly stuck: readonly number[] }
  /** More than the work allowed would be needed to tell. */
  | { readonly kind: 'undecided' };
