/** A small deliberate defect in the real code. The simulator has to catch it: that shows what it is worth. */
export interface Mutant {
  readonly name: string;
  /** What the defect is, in a few words. */
  readonly defect: string;
  readonly edits: readonly Edit[];
  /** Whose faults bring it to light; `default` where none is named. */
  readonly profile?: string;
  /** Of the first schedule, where those that come by it are rare: one that was found once. 1 where none is named. */
  readonly seed?: number;
}

export interface Edit {
  /** From the root of the repository. */
  readonly file: string;
  /** Found there exactly once. */
  readonly from: string;
  readonly to: string;
}
