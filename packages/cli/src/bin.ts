import { EXIT_INTERRUPTED } from './exit-codes.ts';
import { main } from './program.ts';

process.exitCode = await main(process.argv.slice(2));
// What a reader that stands still has not taken yet would keep the process alive.
if (process.exitCode === EXIT_INTERRUPTED) process.exit();
