export { type LedgerSeams, openLedger } from './ledger.ts';
export { type JournalSizing, MAX_RECORD_BYTES } from './limits.ts';
export * from './types.ts';
