/** Choices with weights. */
import { assert } from '@cairnfs/base';
import type { SimRandom } from '@cairnfs/sim';

/** One of the names, each as often as its weight says relative to the sum. */
export function weighted<Name extends string>(random: SimRandom, weights: Readonly<Record<Name, number>>): Name {
  const names = Object.keys(weights) as Name[];
  let sum = 0;
  for (const name of names) sum += weights[name];
  assert(sum > 0, () => `no weight among ${names.join(', ')}`);
  let left = random.ratio() * sum;
  for (const name of names) {
    left -= weights[name];
    if (left < 0) return name;
  }
  return names.at(-1)!;
}
