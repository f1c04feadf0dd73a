/** What a command says when it fails: one line of cause, object, what to do. */
import { type FsError, isFsError, toError } from '@cairnfs/base';
import { EXIT_FAILED, EXIT_USAGE } from './exit-codes.ts';
import { printableName } from './output/listing.ts';

/** What the caller typed cannot be meant. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const ADVICE: Readonly<Record<string, string>> = {
  DEADLINE_EXCEEDED: 'try again, or allow more time with --timeout',
  NOT_ENOUGH_SERVERS: '"cairn status" shows which chunkservers are missing',
  NO_SPACE:
    '"cairn status" shows the space; "cairn rm --skip-trash" frees some, after garbage_grace and quarantine_grace',
  SAFE_MODE: '"cairn status" shows what the master waits for',
  NOT_FOUND: 'check the path with "cairn ls"',
  IS_A_DIRECTORY: 'name a file; "cairn find DIR --type f" lists those in a directory',
  ALREADY_EXISTS: 'choose another name, or remove it first',
  NOT_EMPTY: 'add -r to delete it with what it contains',
};

const CLUSTER_ADVICE = 'is the cluster running? "cairn up" starts one here; --master names another';
const MASTER_ADVICE = '--master, or CAIRN_MASTER, names the master';
/** Of what was said to the master, or not even said. */
const ADVICE_ON_MASTER: Readonly<Record<string, string>> = {
  CONNECTION_REFUSED: CLUSTER_ADVICE,
  NAME_UNRESOLVED: MASTER_ADVICE,
  FOREIGN_PROTOCOL: MASTER_ADVICE,
  UNKNOWN_METHOD: MASTER_ADVICE,
};
/** The master knows where they are: what failed is not what was typed, unless it is with `--from`. */
const CHUNKSERVER_AWAY =
  'this chunkserver is not in reach; "cairn status" shows which are live, and one that stays away is left out of what is written after a while';
const CHUNKSERVER_ADDRESS = '"cairn status" shows the addresses of the chunkservers';
const ADVICE_ON_CHUNKSERVER: Readonly<Record<string, string>> = {
  CONNECTION_REFUSED: CHUNKSERVER_AWAY,
  NAME_UNRESOLVED: CHUNKSERVER_AWAY,
  FOREIGN_PROTOCOL: CHUNKSERVER_ADDRESS,
  UNKNOWN_METHOD: CHUNKSERVER_ADDRESS,
};

/** The one line that a person reads. */
export function describeFailure(error: unknown): string {
  const message = toError(error).message;
  // A path may hold anything, also what would move the cursor.
  const oneLine = printableName(firstLine(message));
  const advice = isFsError(error)
    ? (causeAdvice(error) ??
      slashAdvice(error) ??
      replaceAdvice(error) ??
      patternAdvice(error) ??
      serverAdvice(error) ??
      ADVICE[error.kind])
    : undefined;
  return advice === undefined ? oneLine : `${oneLine}: ${advice}`;
}

/** Where the fault may lie with another path than the first one named, the cause says with which. */
function causeAdvice(error: FsError): string | undefined {
  const isOfAnother = 'dest' in error ? isFsError(error, 'NOT_A_DIRECTORY', 'IS_A_DIRECTORY') : false;
  if (!isOfAnother && !isFsError(error, 'NOT_A_DIRECTORY')) return undefined;
  return isFsError(error.cause) ? error.cause.message : undefined;
}

/** What is in the way of a move is not what the command was told to delete. */
function replaceAdvice(error: FsError): string | undefined {
  const { dest } = error as FsError & { dest?: string };
  if (dest === undefined || !isFsError(error, 'NOT_EMPTY')) return undefined;
  return `'${printableName(dest)}' is not replaced: choose another name, or remove it first`;
}

/** By the server that failed, and, where time ran out, by what it ran out on. */
function serverAdvice(error: FsError): string | undefined {
  if (error.details.copiesOutOfReach !== undefined) return ADVICE.NOT_ENOUGH_SERVERS;
  const isOfMaster = error.details.master !== undefined;
  const advice = (isOfMaster ? ADVICE_ON_MASTER : ADVICE_ON_CHUNKSERVER)[error.kind];
  if (advice !== undefined || error.kind !== 'DEADLINE_EXCEEDED') return advice;
  const reason = lastCause(error);
  return isFsError(reason, 'NOT_ENOUGH_SERVERS', 'SAFE_MODE') ? ADVICE[reason.kind] : undefined;
}

function lastCause(error: unknown): unknown {
  return error instanceof Error && error.cause !== undefined ? lastCause(error.cause) : error;
}

/** Quoted or not, a pattern arrives as it is: the shell knows local names only. */
function patternAdvice(error: FsError): string | undefined {
  const { path = '' } = error as FsError & { path?: string };
  if (!isFsError(error, 'NOT_FOUND') || !/[*?]/.test(path)) return undefined;
  return '* and ? stand for themselves here; "cairn find DIR --name PATTERN" finds names';
}

/** What was typed as a directory, and is none or must be none. */
function slashAdvice(error: FsError): string | undefined {
  const { path = '', dest = '' } = error as FsError & { path?: string; dest?: string };
  const hasSlash = [path, dest].some((named) => named.length > 1 && named.endsWith('/'));
  if (!hasSlash || !isFsError(error, 'NOT_A_DIRECTORY', 'IS_A_DIRECTORY')) return undefined;
  return 'a path that ends in a slash names a directory';
}

/** Only the first line is the message; a line break within quotes belongs to a name. */
function firstLine(message: string): string {
  return /^(?:'[^']*'|[^\n])*/u.exec(message)![0];
}

/** The word of a server whose folder another process uses. */
const FOLDER_IN_USE = 'EBUSY';
/** The words under which docs/operations.md tells what to do. */
const REFUSALS: readonly string[] = ['DAMAGED', 'CLUSTER_MISMATCH', FOLDER_IN_USE];

/** The line with which a server ends that refuses to run. */
export function describeServerFailure(error: unknown): string {
  const { kind = '', code = '' } = error as { kind?: string; code?: string };
  const word = REFUSALS.find((refusal) => refusal === kind || refusal === code);
  return word === undefined ? describeFailure(error) : `${word}: ${describeFailure(error)}`;
}

/** Whether a server ended with this line because another process uses its folder: to start it again would not help. */
export function isFolderInUse(line: string): boolean {
  return line.startsWith(`${FOLDER_IN_USE}: `);
}

export function exitCodeOf(error: unknown): number {
  return error instanceof UsageError ? EXIT_USAGE : EXIT_FAILED;
}
