/** The `cairn` command: all subcommands, and what a wrong command line answers. */
import { Command, CommanderError } from 'commander';
import { configCommand } from './commands/config.ts';
import { userCommands } from './commands/index.ts';
import { serverCommands } from './commands/servers.ts';
import { EXIT_DONE, EXIT_USAGE } from './failure.ts';

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
`;

/** Runs one command line; answers the exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted. */
export async function main(args: readonly string[]): Promise<number> {
  const program = new Command('cairn')
    .description('A distributed file system: one durable, replicated file store over many machines.')
    .showSuggestionAfterError()
    .addHelpText('after', OVERVIEW);
  for (const command of [...userCommands(), ...serverCommands(), configCommand()]) program.addCommand(command);
  for (const command of [program, ...program.commands]) {
    command.exitOverride().configureOutput({
      outputError: (text, write) => write(text.replace(/^error: /, 'cairn: ')),
    });
  }
  process.exitCode = EXIT_DONE;
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? EXIT_DONE : EXIT_USAGE;
  }
  return Number(process.exitCode);
}
