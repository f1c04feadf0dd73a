/** Options that several commands share, checked as they are read. */
import { InvalidArgumentError, Option } from 'commander';
import { parseSize } from '../output/units.ts';

const PARALLEL_DEFAULT = 16;
const PARALLEL_MAX = 256;

export function parallelOption(): Option {
  return new Option('--parallel <n>', `files under way at once (1 to ${PARALLEL_MAX})`)
    .default(PARALLEL_DEFAULT)
    .argParser((text) => wholeNumber(text, 1, PARALLEL_MAX));
}

export function wholeNumber(text: string, min: number, max: number): number {
  const value = Number(text);
  if (!/^[0-9]+$/.test(text) || value < min || value > max) {
    throw new InvalidArgumentError(`expected a whole number from ${min} to ${max}.`);
  }
  return value;
}

export function sizeArgument(text: string): number {
  try {
    return parseSize(text);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}
