/** What a check found broken, in the words of the story that `--trace` tells. */
export interface Violation {
  readonly check: string;
  /** One line. */
  readonly summary: string;
  /** The smallest evidence that shows it, readable. */
  readonly details: string;
}

/** A point of virtual time, as it stands in a story. */
export function secondsOf(atMs: number): string {
  return `${(atMs / 1000).toFixed(4)} s`;
}
