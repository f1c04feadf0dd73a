/** The metrics of a master. */
import type { MasterStatistics } from '@cairnfs/master';
import { type Family, yesOrNo } from './family.ts';
import { ledgerFamilies } from './ledger-metrics.ts';
import { rpcFamilies } from './rpc-metrics.ts';

type Read = (statistics: MasterStatistics) => number;

const gauge = (name: string, help: string, read: Read): Family<MasterStatistics> => ({
  ...{ name: `cairn_master_${name}`, help, read },
  type: 'gauge',
});

const counter = (name: string, help: string, read: Read): Family<MasterStatistics> => ({
  ...{ name: `cairn_master_${name}`, help, read },
  type: 'counter',
});

export const masterFamilies: readonly Family<MasterStatistics>[] = [
  gauge('files', 'Files in the namespace, the trash included.', (s) => s.fileCount),
  gauge('directories', 'Directories in the namespace, the trash included.', (s) => s.directoryCount),
  gauge('trash_entries', 'Entries of /.trash.', (s) => s.trashCount),
  gauge('chunks', 'Chunks of all files.', (s) => s.chunkCount),
  gauge('garbage_chunks', 'Chunks that no file needs and that are not collected yet.', (s) => s.repair.garbageCount),
  {
    ...{ name: 'cairn_master_chunkservers', type: 'gauge', labels: ['state'] },
    help: 'Chunkservers the cluster knows: live ones are in touch, dead ones are not.',
    read: ({ liveServers, deadServers }) => [
      { labels: { state: 'live' }, value: liveServers },
      { labels: { state: 'dead' }, value: deadServers },
    ],
  },
  gauge('safe_mode', '1 while the master has just started and waits for chunkservers to report.', (s) =>
    yesOrNo(s.health.safeModeReason !== ''),
  ),
  gauge('writable', '1 while new files can be written with the minimum of copies.', (s) => yesOrNo(s.health.writable)),
  gauge('leases', 'Chunk leases that chunkservers may hold now: chunks open for mutations.', (s) => s.heldLeases),
  gauge(
    'under_replicated_chunks',
    'Chunks known to have fewer copies than their goal, those being copied included.',
    (s) => s.repair.underReplicatedCount,
  ),
  gauge(
    'unavailable_chunks',
    'Chunks of which no sound copy is in reach; a chunkserver that returns may bring one. Anything but 0 is an incident.',
    (s) => s.repair.unavailableCount,
  ),
  gauge('repairs_running', 'Chunks being copied now.', (s) => s.repair.copyingCount),
  counter('repairs_total', 'Copies made by repair.', (s) => s.repair.copiedCount),
  counter('repairs_failed_total', 'Copies that did not come about; each is tried again.', (s) => s.failedCopies),
  counter('repaired_bytes_total', 'Bytes of the copies made by repair.', (s) => s.repair.copiedBytes),
  ...ledgerFamilies<MasterStatistics>(({ directory, ledger }) => [{ directory, ledger }]),
  ...rpcFamilies,
];
