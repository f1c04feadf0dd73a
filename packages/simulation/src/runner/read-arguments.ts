/**
 * The words of a command line, as options and their texts. The next word after an option that has a value is its value
 * whatever it looks like, so that `-1` is refused as a number and not as an option.
 */
import { parseArgs } from 'node:util';
import { toError } from '@cairnfs/base';

export type OptionKinds = Readonly<Record<string, { readonly type: 'string' | 'boolean'; readonly multiple?: true }>>;

/** Whatever else is said. */
export function asksForHelp(args: readonly string[]): boolean {
  return args.includes('--help') || args.includes('-h');
}

/** By name, without its dashes: the texts it was given, in order; `''` for one that has no value. */
export type Given<Name extends string> = ReadonlyMap<Name, readonly string[]>;

/** @throws Error  with a message for the one who typed it. */
export function readArguments<Kinds extends OptionKinds>(
  args: readonly string[],
  kinds: Kinds,
): Given<keyof Kinds & string> {
  const given = new Map<keyof Kinds & string, string[]>();
  const { tokens } = parseArgs({
    args: [...args],
    options: Object.fromEntries(Object.entries(kinds).map(([name, { type }]) => [name, { type }])),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  for (const token of tokens) {
    if (token.kind !== 'option') throw new Error(`'${token.kind === 'positional' ? token.value : '--'}' is no option`);
    const { name, rawName, value } = token;
    const kind = Object.hasOwn(kinds, name) ? kinds[name]! : undefined;
    if (kind === undefined) throw new Error(`there is no option ${rawName}`);
    if (kind.type === 'boolean' && value !== undefined) throw new Error(`${rawName} takes no value`);
    if (kind.type === 'string' && value === undefined) throw new Error(`${rawName}: its value is missing`);
    const before = given.get(name) ?? [];
    if (before.length > 0 && kind.multiple !== true) throw new Error(`${rawName} is given more than once`);
    given.set(name, [...before, value ?? '']);
  }
  return given;
}

/** What would do nothing is not taken without a word. */
export function refuse<Name extends string>(given: Given<Name>, options: readonly Name[], besides: string): void {
  const wrong = options.find((option) => given.has(option));
  if (wrong !== undefined) throw new Error(`--${wrong} does not go with ${besides}`);
}

/** @param script of npm. @returns what the one reads who typed what is wrong; the program then ends with exit code 2. */
export function complaint(script: string, error: unknown): string {
  return `${script}: ${toError(error).message}\nsee "npm run ${script} -- --help"`;
}
