/**
 * What a contract suite needs of the implementation under test. The same suites run over the real seams and the
 * simulated ones, so that what a test shows in simulation holds in production.
 */
import type { Address, Seams } from '../seams.ts';

export interface ContractSubject {
  readonly seams: Pick<Seams, 'clock' | 'random' | 'disk' | 'network' | 'openStateStore'>;
  /** An empty directory, on a path as the disk takes it. */
  readonly directory: string;
  /** Where to listen for connections from the same process: port 0. */
  readonly listenAt: Address;
  /** Lets `work` run to its end; the simulator makes virtual time pass meanwhile. */
  run(work: () => Promise<void>): Promise<void>;
  close(): Promise<void>;
}

export type MakeSubject = () => Promise<ContractSubject>;

/** Wraps a test's body: a fresh subject, closed afterwards whatever happens. */
export function withSubject(make: MakeSubject, body: (subject: ContractSubject) => Promise<void>): () => Promise<void> {
  return async () => {
    const subject = await make();
    try {
      await subject.run(() => body(subject));
    } finally {
      await subject.close();
    }
  };
}
