/** Journal and state of a server: one ledger on a master, one for each disk on a chunkserver. */
import type { MasterStatistics } from '@cairnfs/master';
import type { Family, Sample } from './family.ts';

/** As the master's statistics carry them; a chunkserver's are of the same shape. */
type LedgerStatistics = MasterStatistics['ledger'];

export interface LabelledLedger {
  readonly directory: string;
  readonly ledger: LedgerStatistics;
}

/** @param ledgersOf the ledgers in the statistics, each with its folder. */
export function ledgerFamilies<S>(ledgersOf: (statistics: S) => readonly LabelledLedger[]): readonly Family<S>[] {
  const gauge = (name: string, help: string, value: (ledger: LedgerStatistics) => number): Family<S> => ({
    ...{ name, help, type: 'gauge', labels: ['directory'] },
    read: (statistics): Sample[] =>
      ledgersOf(statistics).map(({ directory, ledger }) => ({ labels: { directory }, value: value(ledger) })),
  });
  return [
    gauge('cairn_journal_bytes', 'Bytes in journal segments that are not yet removed.', (l) => l.journalBytes),
    gauge('cairn_journal_segments', 'Journal segments on disk, prepared ones included.', (l) => l.segmentCount),
    gauge('cairn_journal_waiting_records', 'Records that wait for their fdatasync.', (l) => l.undurableRecords),
    gauge(
      'cairn_journal_unfolded_records',
      'Durable records that the state store does not hold yet: what a restart replays. Grows when the disk falls behind.',
      (l) => l.unfoldedRecords,
    ),
    gauge(
      'cairn_journal_overlay_bytes',
      'Memory of the effects not yet folded into the state store.',
      (l) => l.overlayBytes,
    ),
    gauge('cairn_state_bytes', 'Bytes that the state store takes on disk.', (l) => l.stateBytes),
  ];
}
