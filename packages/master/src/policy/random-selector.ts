import { type ReplicaSelector, shuffled } from './selector.ts';

/** Any servers, each as likely as the others. */
export const randomSelector: ReplicaSelector = {
  select: (candidates, { count }, random) => shuffled(candidates, random).slice(0, count),
};
