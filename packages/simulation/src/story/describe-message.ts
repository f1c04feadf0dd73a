/** Protobuf messages and log fields in few words: what says nothing is left out, long values are cut. */

import type { OperationId } from '@cairnfs/protocol';

const LIST_SHOWN = 6;
const BYTES_SHOWN = 8;
const TEXT_SHOWN = 200;
/** Of a UUID, from its end: chunks begin with the time they were made at, and a run has some hundred. */
const UUID_SHOWN = 8;
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;

/** The same in every message, or of no interest to a story. */
const LEFT_OUT: ReadonlySet<string> = new Set([
  'usage',
  'disks',
  'session',
  'masterSession',
  'blockChecksums',
  'checksum',
  'owner',
  'group',
  'mode',
  'createdMs',
  'modifiedMs',
  'accessedMs',
  'changedMs',
  'atMs',
]);

/** `name=value` for each field that says something, `''` when none does. */
export function describeFields(fields: Readonly<Record<string, unknown>>): string {
  const parts: string[] = [];
  for (const [name, value] of Object.entries(fields)) {
    if (LEFT_OUT.has(name)) continue;
    const described = describeField(name, value);
    if (described !== undefined) parts.push(described);
  }
  return parts.join(' ');
}

/** Chunk handles and other UUIDs by their last characters, here and in what is looked for. */
export function shortened(text: string): string {
  return text.replace(UUID, (uuid) => uuid.slice(-UUID_SHOWN));
}

function describeField(name: string, value: unknown): string | undefined {
  if (value === undefined || value === null || value === '' || value === 0 || value === false) return undefined;
  if (value === true) return name;
  if (Array.isArray(value)) return value.length === 0 ? undefined : `${name}=${describeList(value)}`;
  if (isOperation(value)) return `op=${Buffer.from(value.client.subarray(0, 4)).toString('hex')}/${value.number}`;
  if (isOneOf(value)) return describeField(value.$case, value.value === 0 ? '0' : value.value);
  const described = describeValue(value);
  return described === '' ? undefined : `${name}=${described}`;
}

function describeValue(value: unknown): string {
  if (value instanceof Uint8Array) return describeBytes(value);
  if (value instanceof Error) return cut(value.message);
  if (typeof value === 'number') return String(Math.round(value * 1000) / 1000);
  if (typeof value !== 'object' || value === null) return cut(String(value));
  if (Array.isArray(value)) return describeList(value);
  const fields = describeFields(value as Record<string, unknown>);
  return fields === '' ? '' : `{${fields}}`;
}

function describeList(values: readonly unknown[]): string {
  const shown = values.slice(0, LIST_SHOWN).map((value) => describeValue(value) || '{}');
  if (values.length > LIST_SHOWN) shown.push(`and ${values.length - LIST_SHOWN} more`);
  return `[${shown.join(', ')}]`;
}

function describeBytes(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes.subarray(0, BYTES_SHOWN)).toString('hex');
  if (bytes.length === 0) return '';
  return bytes.length > BYTES_SHOWN ? `${hex}…(${bytes.length} bytes)` : hex;
}

function cut(text: string): string {
  const short = shortened(text);
  return short.length > TEXT_SHOWN ? `${short.slice(0, TEXT_SHOWN)}…` : short;
}

function isOperation(value: unknown): value is OperationId {
  return typeof value === 'object' && value !== null && 'settledBelow' in value;
}

/** As generated for a `oneof`. */
function isOneOf(value: unknown): value is { $case: string; value: unknown } {
  return typeof value === 'object' && value !== null && '$case' in value;
}
