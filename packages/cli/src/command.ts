/** What every user command shares: the connection, how it prints, when it is interrupted, how it fails. */
import type { CairnClient } from '@cairnfs/client/node';
import { Command, Option } from 'commander';
import { addressesArgument, timeoutArgument } from './commands/options.ts';
import { EXIT_DONE, EXIT_FAILED, EXIT_HUNG_UP, EXIT_INTERRUPTED } from './exit-codes.ts';
import { describeFailure, exitCodeOf } from './failure.ts';
import { OutputClosed, writeStdout } from './output/standard-output.ts';
import { tellingWhatIsAwaited } from './output/waiting.ts';

const MASTER_DEFAULT = '127.0.0.1:9000';
const TIMEOUT_DEFAULT_MS = 60_000;

export interface GlobalOptions {
  master: string;
  /** Milliseconds. */
  timeout: number;
  json?: boolean;
}

/** Given to each command's action. */
export class CommandContext {
  readonly json: boolean;
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  readonly #masters: string[];
  #client: CairnClient | undefined;
  #failureCount = 0;
  /** Set by a command that goes on until it is interrupted: then there is nothing to tell. */
  endsByInterruption = false;

  constructor(options: GlobalOptions, signal: AbortSignal) {
    this.json = options.json === true;
    this.signal = signal;
    this.timeoutMs = options.timeout;
    this.#masters = options.master.split(',').map((address) => address.trim());
  }

  /** Connected when first needed, closed when the command ends. */
  async client(): Promise<CairnClient> {
    if (this.#client === undefined) {
      // Loaded here, so that help and wrong usage answer at once.
      const { connect } = await import('@cairnfs/client/node');
      const onRetry = tellingWhatIsAwaited(this.timeoutMs, (line) => process.stderr.write(line));
      this.#client = await connect({ masters: this.#masters, timeoutMs: this.timeoutMs, onRetry });
    }
    return this.#client;
  }

  /** To standard output; resolves when it is taken, so that a slow reader slows the command. */
  write(data: string | Uint8Array): Promise<void> {
    return writeStdout(data, this.signal);
  }

  async printJson(value: unknown): Promise<void> {
    await this.write(`${JSON.stringify(value)}\n`);
  }

  /** Reports one object's failure and lets the command go on with the others; it exits 1 in the end. */
  fail(error: unknown): void {
    this.#failureCount += 1;
    process.stderr.write(`cairn: ${describeFailure(error)}\n`);
  }

  /** The command did its work and found something wrong: it exits 1. */
  noteProblems(count: number): void {
    this.#failureCount += count;
  }

  /** Runs `action` for each object; one that fails does not keep the others from being tried. */
  async forEach<T>(objects: readonly T[], action: (object: T) => Promise<void>): Promise<void> {
    for (const object of objects) {
      this.signal.throwIfAborted();
      try {
        await action(object);
      } catch (error) {
        if (this.signal.aborted || error instanceof OutputClosed) throw error;
        this.fail(error);
      }
    }
  }

  get exitCode(): number {
    return this.#failureCount === 0 ? EXIT_DONE : EXIT_FAILED;
  }

  async close(): Promise<void> {
    await this.#client?.close();
  }
}

/** A subcommand with the options that all of them take. */
export function userCommand(name: string, examples: readonly string[], { json = true } = {}): Command {
  const command = new Command(name)
    .addOption(
      new Option('--master <host:port>', 'the master; several, separated by commas, are tried in turn')
        .env('CAIRN_MASTER')
        .default(MASTER_DEFAULT)
        .argParser(addressesArgument),
    )
    .addOption(
      new Option('--timeout <duration>', 'how long each step keeps trying through failures: 500ms, 30s, 5m')
        .default(TIMEOUT_DEFAULT_MS, '60s')
        .argParser(timeoutArgument),
    )
    .addHelpText('after', `\nExamples:\n${examples.map((example) => `  $ ${example}`).join('\n')}\n`);
  return json ? command.option('--json', 'print for programs: one JSON object a line') : command;
}

/** Wraps an action: connects, catches, closes, and sets the exit code. */
export function action<Args extends unknown[], Options extends GlobalOptions>(
  body: (context: CommandContext, options: Options, ...args: Args) => Promise<void>,
): (...all: unknown[]) => Promise<void> {
  return async (...all) => {
    const command = all.pop() as Command;
    all.pop(); // the options again, without defaults from parents
    const options = command.opts() as Options;
    const interrupted = new AbortController();
    let interruptedCode = EXIT_INTERRUPTED;
    const interrupt = () => interrupted.abort(new Error('interrupted'));
    const hangUp = () => {
      if (!interrupted.signal.aborted) interruptedCode = EXIT_HUNG_UP;
      interrupt();
    };
    process.once('SIGINT', interrupt);
    process.once('SIGTERM', interrupt);
    // The shell and the system each tell of a terminal that goes away: what was begun is cleaned up all the same.
    process.on('SIGHUP', hangUp);
    process.stderr.removeListener('error', ignoreUntold).on('error', ignoreUntold);
    let context: CommandContext | undefined;
    try {
      context = new CommandContext(options, interrupted.signal);
      await body(context, options, ...(all as Args));
      process.exitCode = context.exitCode;
    } catch (error) {
      const isInterrupted = interrupted.signal.aborted;
      if (!isInterrupted && error instanceof OutputClosed) process.exitCode = context!.exitCode;
      else {
        const isTold = !isInterrupted || context?.endsByInterruption !== true;
        if (isTold) process.stderr.write(`cairn: ${isInterrupted ? 'interrupted' : describeFailure(error)}\n`);
        process.exitCode = isInterrupted ? interruptedCode : exitCodeOf(error);
      }
    } finally {
      process.removeListener('SIGINT', interrupt);
      process.removeListener('SIGTERM', interrupt);
      await context?.close();
      process.removeListener('SIGHUP', hangUp);
    }
  };
}

/** Words for a terminal that is gone, those of a progress bar too, end no command before it has cleaned up. */
function ignoreUntold(): void {}
