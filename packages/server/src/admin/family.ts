/** What a metric is called and how it is read from the statistics `S` of a server. */

export interface Family<S> {
  /** `cairn_...`, ending in `_total` for a counter, with the unit before (`_bytes`, `_seconds`). */
  readonly name: string;
  readonly help: string;
  readonly type: 'gauge' | 'counter';
  readonly labels?: readonly string[];
  read(statistics: S): number | readonly Sample[];
}

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export function yesOrNo(value: boolean): number {
  return value ? 1 : 0;
}
