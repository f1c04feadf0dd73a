/** What one client asked and what it saw, as plain data. Checks judge histories: lists of these. */

/** Positions in the one order of events of a run: a counter that goes up at each begin and each end. */
export type Moment = number;

export type Outcome<R> =
  | { readonly kind: 'ok'; readonly result: R }
  /** Refused with a definite error (its POSIX code): it has not happened and never will. */
  | { readonly kind: 'failed'; readonly code: string }
  /** Deadline, crash of the client, lost connection: it may happen at any later time, or never. */
  | { readonly kind: 'unknown' };

export interface Operation<C, R> {
  /** Unique in its run. */
  readonly id: number;
  readonly client: string;
  readonly call: C;
  readonly begin: Moment;
  /** Infinity when the outcome is unknown. */
  readonly end: Moment;
  readonly outcome: Outcome<R>;
}
