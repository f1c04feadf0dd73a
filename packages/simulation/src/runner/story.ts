/** A run's trace for people: one line an event. */
import type { TraceEntry } from '@cairnfs/sim';

const HOST_WIDTH = 14;

export function formatStory(trace: readonly TraceEntry[]): string {
  return trace.map(formatLine).join('\n');
}

function formatLine({ atMs, host, event, fields }: TraceEntry): string {
  const values = Object.entries(fields).map(([name, value]) => `${name}=${formatValue(value)}`);
  return `${(atMs / 1000).toFixed(4).padStart(10)}  ${host.padEnd(HOST_WIDTH)} ${event}  ${values.join(' ')}`.trimEnd();
}

function formatValue(value: unknown): string {
  if (value instanceof Error) return value.message;
  if (typeof value === 'string') return value;
  return JSON.stringify(value, (_, part) => (typeof part === 'bigint' ? String(part) : part)) ?? 'undefined';
}
