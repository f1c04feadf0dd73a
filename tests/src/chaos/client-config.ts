/** What a client process is told at its start, in a file of the run's folder. */
export interface ClientConfig {
  readonly master: string;
  /** For its operation log. */
  readonly folder: string;
  /** Another for each process. */
  readonly name: string;
  readonly number: number;
  readonly seed: number;
  /** Of the whole run, from `startNs` of the monotonic clock on. */
  readonly durationMs: number;
  readonly startNs: number;
}
