/**
 * Arguments as they were typed. Node hands them over as text: bytes that are not UTF-8 become U+FFFD, and names that differ
 * in such bytes become one name, so that one file would be taken for another.
 */
import { isUtf8 } from 'node:buffer';
import { readFileSync } from 'node:fs';
import { printableName } from './output/listing.ts';

const REPLACEMENT = '\ufffd';

/**
 * What is wrong with `args`, in one line.
 *
 * @param typed  the arguments of the process in bytes, these being the last of them; undefined where the system does not tell.
 */
export function lossyArgument(args: readonly string[], typed: () => readonly Buffer[] | undefined): string | undefined {
  if (!args.some((arg) => arg.includes(REPLACEMENT))) return undefined;
  const bytes = typed()?.slice(-args.length);
  const at = args.findIndex(
    (arg, index) => arg.includes(REPLACEMENT) && !(bytes?.[index] !== undefined && isUtf8(bytes[index])),
  );
  if (at < 0) return undefined;
  const what = bytes === undefined ? 'is not UTF-8, or contains U+FFFD' : 'is not UTF-8';
  return (
    `'${printableName(args[at]!)}' ${what}: all names in the cluster are UTF-8, and a local file with another name is ` +
    'stored under a new one by "cairn put - DST < FILE"'
  );
}

/** Of this process, on Linux. */
export function typedArguments(): readonly Buffer[] | undefined {
  let line: Buffer;
  try {
    line = readFileSync('/proc/self/cmdline');
  } catch {
    // Other systems have no such file: then it cannot be told what was typed.
    return undefined;
  }
  const typed: Buffer[] = [];
  for (let start = 0; start < line.length; ) {
    const found = line.indexOf(0, start);
    const end = found < 0 ? line.length : found;
    typed.push(line.subarray(start, end));
    start = end + 1;
  }
  return typed;
}
