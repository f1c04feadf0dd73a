/**
 * Reads a server's configuration: a TOML or YAML file, environment variables above it, flags above those. Everything is
 * validated once, here; an error names the file (or variable, or flag), the key, the value and what is allowed.
 */
import { readFileSync } from 'node:fs';
import { extname } from 'node:path';
import { FsError } from '@cairnfs/base';
import { parse as parseToml, TomlError } from 'smol-toml';
import { parse as parseYaml } from 'yaml';
import type { z } from 'zod';
import { UsageError } from '../failure.ts';

/** `CAIRN_CONFIG_TRASH_KEEP=1d` sets `trash_keep`. */
const ENVIRONMENT_PREFIX = 'CAIRN_CONFIG_';

export interface ConfigSources {
  file: string | undefined;
  environment: Readonly<Record<string, string | undefined>>;
  /** Key → value, from `--set key=value` and the flags that have names of their own. */
  flags: Readonly<Record<string, unknown>>;
}

/** Where a value came from that was typed. */
const COMMAND_LINE = 'command line';

type Values = Record<string, unknown>;

export function loadConfig<Schema extends z.ZodObject>(schema: Schema, sources: ConfigSources): z.output<Schema> {
  const keys = Object.keys(schema.shape);
  const origins = new Map<string, string>();
  const values: Values = {};
  const add = (key: string, value: unknown, origin: string) => {
    if (!keys.includes(key)) {
      throw invalid(`${origin}: unknown key '${key}': one of ${keys.join(', ')}`, origin);
    }
    values[key] = value;
    origins.set(key, origin);
  };
  if (sources.file !== undefined) {
    for (const [key, value] of Object.entries(readFile(sources.file))) add(key, value, sources.file);
  }
  for (const [name, text] of Object.entries(sources.environment)) {
    if (!name.startsWith(ENVIRONMENT_PREFIX) || text === undefined) continue;
    add(name.slice(ENVIRONMENT_PREFIX.length).toLowerCase(), fromText(text), `environment ${name}`);
  }
  for (const [key, value] of Object.entries(sources.flags)) {
    if (value !== undefined) add(key, typeof value === 'string' ? fromText(value) : value, COMMAND_LINE);
  }
  const result = schema.safeParse(values);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  const key = issue.path.map(String).join('.');
  const named = origins.get(String(issue.path[0]));
  const origin = named ?? sources.file ?? 'configuration';
  const value = issue.path.reduce<unknown>((inner, step) => (inner as Values | undefined)?.[String(step)], values);
  const given = value === undefined ? '(missing)' : JSON.stringify(value);
  const advice = value === undefined && sources.file === undefined ? ': name a file with --config, or use --set' : '';
  // Without a file, what is missing is missing on the command line.
  throw invalid(`${origin}: ${key} = ${given}: ${issue.message}${advice}`, advice === '' ? named : COMMAND_LINE);
}

function readFile(path: string): Values {
  const text = readText(path);
  const parsed = parse(path, text);
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw invalid(`${path}: expected keys and values: see 'cairn config example master'`);
  }
  return parsed as Values;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new FsError('INVALID_ARGUMENT', `cannot read the configuration ${path}: ${(cause as Error).message}`, {
      cause,
    });
  }
}

function parse(path: string, text: string): unknown {
  const extension = extname(path).toLowerCase();
  try {
    if (extension === '.toml') return parseToml(text);
    if (extension === '.yaml' || extension === '.yml') return parseYaml(text) ?? {};
  } catch (cause) {
    const line = cause instanceof TomlError ? `line ${cause.line}, column ${cause.column}: ` : '';
    const reason = (cause as Error).message.split('\n')[0]!.replace(/:$/, '');
    const advice = cause instanceof TomlError ? quotesAdvice(text.split('\n')[cause.line - 1] ?? '') : '';
    throw new FsError('INVALID_ARGUMENT', `${path}: ${line}${reason}${advice}`, { cause });
  }
  throw invalid(`${path}: a configuration ends in .toml, .yaml or .yml`);
}

/** Of a line that TOML does not take: the commonest mistake is a text without quotes. */
function quotesAdvice(line: string): string {
  const match = /^\s*([A-Za-z0-9_-]+)\s*=\s*([^"'[\]{}#\s][^"'#]*)/.exec(line);
  return match === null ? '' : `: text stands in quotes: ${match[1]} = "${match[2]!.trim()}"`;
}

/** Text from the environment or a flag: numbers, booleans and lists (comma-separated in brackets) as TOML reads them. */
function fromText(text: string): unknown {
  if (/^-?[0-9]+(\.[0-9]+)?$/.test(text)) return Number(text);
  if (text === 'true' || text === 'false') return text === 'true';
  // An IPv6 address begins with a bracket too, and ends with its port.
  if (text.startsWith('[') && text.endsWith(']')) {
    try {
      return parseToml(`value = ${text}`).value;
    } catch (cause) {
      throw new FsError('INVALID_ARGUMENT', `'${text}' is not a list: write ["a", "b"]`, { cause });
    }
  }
  return text;
}

/** What was typed is wrong usage; what a file or the environment says is not. */
function invalid(message: string, origin?: string): Error {
  return origin === COMMAND_LINE ? new UsageError(message) : new FsError('INVALID_ARGUMENT', message);
}
