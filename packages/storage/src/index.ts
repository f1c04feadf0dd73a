export { type OnDevice, onDevice } from './device-seams.ts';
export { DiskWatch } from './disk-watch.ts';
export { type LedgerSeams, openLedger } from './ledger.ts';
export { DISK_TIMEOUT_MS, type JournalSizing, MAX_RECORD_BYTES } from './limits.ts';
export * from './types.ts';
