/** Interesting states, and the events of the trace that show that a run came by them. */

export const COVERAGE: Readonly<Record<string, readonly string[]>> = {
  'view changes': ['info view changed'],
  'members reported failed': ['warn members of a view failed'],
  'chunks copied': ['info a chunk was copied'],
  'replicas quarantined': ['info replica moved to quarantine'],
  'corrupt blocks found': ['error corrupt block'],
  'disks failed': ['error disk failed', 'error ledger failed'],
  'masters restarted': ['info safe mode is over'],
  'uploads that went on elsewhere': ['info a chunk of an upload goes on elsewhere'],
};

export function countCoverage(events: Readonly<Record<string, number>>): Record<string, number> {
  const counted: Record<string, number> = {};
  for (const [name, traced] of Object.entries(COVERAGE)) {
    counted[name] = traced.reduce((sum, event) => sum + (events[event] ?? 0), 0);
  }
  return counted;
}
