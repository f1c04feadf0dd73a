/** What a check found broken. */
export interface Violation {
  readonly check: string;
  /** One line. */
  readonly summary: string;
  /** The smallest evidence that shows it, readable. */
  readonly details: string;
}
