/** The `cairn` command: all subcommands, and what a wrong command line answers. */
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { COMMANDS, type CommandEntry } from './commands/index.ts';
import { EXIT_DONE, EXIT_USAGE } from './exit-codes.ts';
import { printOrFail } from './output/standard-output.ts';

const OVERVIEW = `
Paths in the cluster are absolute: /films/film.mkv.

Examples:
  $ cairn up                       a whole cluster on this machine, in the foreground
  $ cairn put film.mkv /films/     store a file
  $ cairn put -r photos /          store a tree
  $ cairn ls -l /films             list
  $ cairn get /films/film.mkv .    fetch
  $ cairn status                   servers, space, health

"cairn COMMAND --help" explains a command, with examples.
Exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted, 129 the terminal went away.
`;

/** Runs one command line; answers the exit code, as the overview tells it. Help goes to `print`. */
export async function main(args: readonly string[], print: (text: string) => void = printOrFail): Promise<number> {
  const program = new Command('cairn')
    .description('A distributed file system: one durable, replicated file store over many machines.')
    .version(version(), '-V, --version', 'print the version')
    .showSuggestionAfterError()
    .addHelpText('after', OVERVIEW);
  for (const entry of COMMANDS) {
    program.addCommand(entry.name === namedBy(args) ? await loaded(entry) : outlineOf(entry));
  }
  for (const command of withSubcommands(program)) {
    command.exitOverride().configureOutput({
      writeOut: print,
      outputError: (text, write) => write(usageLine(text, command)),
    });
  }
  process.exitCode = EXIT_DONE;
  try {
    await program.parseAsync(isHelpOfUnknown(args) ? args.slice(1, 2) : withLineCount(args), { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? EXIT_DONE : EXIT_USAGE;
  }
  return Number(process.exitCode);
}

/** The subcommand that is meant: `cairn ls ...` or `cairn help ls`. */
function namedBy(args: readonly string[]): string | undefined {
  return args[0] === 'help' ? args[1] : args[0];
}

/** `head -5 FILE` and `tail -5 FILE`, as ever: the number is that of lines. */
function withLineCount(args: readonly string[]): readonly string[] {
  if (args[0] !== 'head' && args[0] !== 'tail') return args;
  const at = args.findIndex(
    (arg, index) => /^-[0-9]+$/.test(arg) && (index === 1 || /^(-f|--follow)$/.test(args[index - 1]!)),
  );
  return at < 0 ? args : [...args.slice(0, at), '-n', args[at]!.slice(1), ...args.slice(at + 1)];
}

/** Of a command that is not there no help is printed: it is refused like the command itself. */
function isHelpOfUnknown(args: readonly string[]): boolean {
  const name = args[1];
  return args[0] === 'help' && name !== undefined && name !== 'help' && !COMMANDS.some((entry) => entry.name === name);
}

async function loaded({ name, summary, load }: CommandEntry): Promise<Command> {
  return (await load()).name(name).description(summary);
}

/** What the overview shows of a command that was not asked for. */
function outlineOf({ name, summary }: CommandEntry): Command {
  return new Command(name).description(summary).usage('...').helpOption(false);
}

function withSubcommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(withSubcommands)];
}

/** Wrong usage in one line: what is wrong, and where the right usage stands. */
function usageLine(text: string, command: Command): string {
  const oneLine = text
    .trim()
    .replace(/^error: /, '')
    .replace(/\s*\n\s*\(Did you mean/, ' (did you mean')
    .replace(/ is invalid\. /, ': ')
    .replace(/\.$/, '');
  const single = /^unknown option '-([a-z][a-z-]+)'$/.exec(oneLine)?.[1];
  const isMeant = command.options.some(({ long }) => long === `--${single}`);
  const meant = isMeant ? ` (did you mean --${single}?)` : '';
  const names = [];
  for (let at: Command | null = command; at !== null; at = at.parent) names.unshift(at.name());
  return `cairn: ${oneLine.replaceAll('\n', ' ')}${meant}; see "${names.join(' ')} --help"\n`;
}

function version(): string {
  const about = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string };
  return about.version;
}
