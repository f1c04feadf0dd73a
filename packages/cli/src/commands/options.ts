/** Options that several commands share, checked as they are read. */
import { parseAddress } from '@cairnfs/base';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseDuration, parseSize } from '../output/units.ts';

const PARALLEL_DEFAULT = 16;
const PARALLEL_MAX = 256;

export function parallelOption(): Option {
  return new Option('--parallel <n>', `files under way at once (1 to ${PARALLEL_MAX})`)
    .default(PARALLEL_DEFAULT)
    .argParser((text) => wholeNumber(text, 1, PARALLEL_MAX));
}

/** To `ls` and `du` a person who types `-h` asks for sizes that a person can read, not for help: that is `--help` there. */
export function takingSizesForPeople(command: Command): Command {
  return command
    .helpOption('--help', 'display help for command')
    .option('-h, --human-readable', 'sizes with units, as always (exact ones: --json)');
}

export function wholeNumber(text: string, min: number, max: number): number {
  const value = Number(text);
  if (!/^[0-9]+$/.test(text) || value < min || value > max) {
    throw new InvalidArgumentError(`expected a whole number from ${min} to ${max}.`);
  }
  return value;
}

/** `host:port`, or several separated by commas. */
export function addressesArgument(text: string): string {
  return orInvalid(() => {
    for (const address of text.split(',')) parseAddress(address.trim());
    return text;
  });
}

/** One `host:port`. */
export function addressArgument(text: string): string {
  return orInvalid(() => {
    parseAddress(text);
    return text;
  });
}

/** `64MiB`, `1g`, `4096` → bytes. */
export function sizeArgument(text: string): number {
  return orInvalid(() => parseSize(text));
}

/** `500ms`, `30s`, `3d` → milliseconds. */
export function durationArgument(text: string): number {
  return orInvalid(() => parseDuration(text));
}

/** As `durationArgument`, of some length. */
export function timeoutArgument(text: string): number {
  const timeoutMs = durationArgument(text);
  if (timeoutMs > 0) return timeoutMs;
  throw new InvalidArgumentError('expected more than no time at all.');
}

function orInvalid<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}
