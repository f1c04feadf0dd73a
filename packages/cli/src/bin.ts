import { lossyArgument, typedArguments } from './arguments.ts';
import { EXIT_HUNG_UP, EXIT_INTERRUPTED, EXIT_USAGE } from './exit-codes.ts';
import { main } from './program.ts';

const args = process.argv.slice(2);
const lossy = lossyArgument(args, typedArguments);
if (lossy === undefined) process.exitCode = await main(args);
else {
  process.stderr.write(`cairn: ${lossy}\n`);
  process.exitCode = EXIT_USAGE;
}
// Node aborts where it would set back a terminal that is gone: the signal itself ends the process, which a shell tells as 129.
const hasTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY;
if (process.exitCode === EXIT_HUNG_UP && hasTerminal) process.kill(process.pid, 'SIGHUP');
// What a reader that stands still has not taken yet would keep the process alive.
if (process.exitCode === EXIT_INTERRUPTED || process.exitCode === EXIT_HUNG_UP) process.exit();
