/** Logs by pino: one JSON object a line, or lines for people when a terminal reads them. */
import type { Log, LogFields } from '@cairnfs/base';
import pino, { type Logger } from 'pino';
import pretty from 'pino-pretty';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

export interface LogOptions {
  level?: LogLevel;
  /** Appends to this file instead of standard output. */
  file?: string;
  /** Lines for people; by default when standard output is a terminal. */
  pretty?: boolean;
  /** In every record: which server this is. */
  fields?: LogFields;
}

/** Written synchronously, so that the last words before a crash are not lost. */
export function createLog({ level = 'info', file, pretty: asLines, fields = {} }: LogOptions = {}): Log {
  const destination = pino.destination({ dest: file ?? 1, sync: true, mkdir: true });
  const isPretty = asLines ?? (file === undefined && process.stdout.isTTY === true);
  const stream = isPretty ? pretty({ destination, colorize: file === undefined, ignore: 'pid,hostname' }) : destination;
  const options = { level, base: { pid: process.pid, ...fields }, serializers: { error: pino.stdSerializers.err } };
  return new PinoLog(pino(options, stream));
}

class PinoLog implements Log {
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  debug(message: string, fields: LogFields = {}): void {
    this.#logger.debug(fields, message);
  }

  info(message: string, fields: LogFields = {}): void {
    this.#logger.info(fields, message);
  }

  warn(message: string, fields: LogFields = {}): void {
    this.#logger.warn(fields, message);
  }

  error(message: string, fields: LogFields = {}): void {
    this.#logger.error(fields, message);
  }

  child(fields: LogFields): Log {
    return new PinoLog(this.#logger.child(fields));
  }
}
