/** The metrics of a chunkserver. */
import type { ChunkserverStatistics } from '@cairnfs/chunkserver';
import { type Family, type Sample, yesOrNo } from './family.ts';
import { ledgerFamilies } from './ledger-metrics.ts';
import { rpcFamilies } from './rpc-metrics.ts';

type DiskStatistics = ChunkserverStatistics['disks'][number];

const counter = (
  name: string,
  help: string,
  read: (statistics: ChunkserverStatistics) => number,
): Family<ChunkserverStatistics> => ({ ...{ name: `cairn_chunkserver_${name}`, help, read }, type: 'counter' });

/** One value for each disk, named by its folder. */
const perDisk = (
  name: string,
  help: string,
  read: (disk: DiskStatistics) => number,
): Family<ChunkserverStatistics> => ({
  ...{ name: `cairn_chunkserver_${name}`, help, type: 'gauge', labels: ['directory'] },
  read: ({ disks }): Sample[] => disks.map((disk) => ({ labels: { directory: disk.directory }, value: read(disk) })),
});

export const chunkserverFamilies: readonly Family<ChunkserverStatistics>[] = [
  {
    name: 'cairn_chunkserver_server_lease_held',
    help: '1 while the server is in touch with the master and may serve.',
    type: 'gauge',
    read: ({ holdsServerLease }) => yesOrNo(holdsServerLease),
  },
  perDisk('disk_up', '1 while the disk is in service, 0 when it failed or could not be opened.', (d) =>
    yesOrNo(!d.hasFailed),
  ),
  perDisk('disk_used_bytes', 'Bytes of the chunks on the disk.', (d) => d.usedBytes),
  perDisk(
    'disk_free_bytes',
    'Bytes that chunks may still take of the disk, after what is kept free.',
    (d) => d.freeBytes,
  ),
  {
    name: 'cairn_chunkserver_chunks',
    help: 'Copies of chunks on the disk: small ones lie in the index, large ones in files of their own.',
    type: 'gauge',
    labels: ['directory', 'size'],
    read: ({ disks }) =>
      disks.flatMap(({ directory, smallChunks, largeChunks }) => [
        { labels: { directory, size: 'small' }, value: smallChunks },
        { labels: { directory, size: 'large' }, value: largeChunks },
      ]),
  },
  counter(
    'corrupt_blocks_total',
    'Blocks that did not match their checksums when they were read.',
    (s) => s.corruptBlocksFound,
  ),
  counter(
    'quarantined_chunks_total',
    'Copies moved into quarantine by order of the master.',
    (s) => s.quarantined.movedAside,
  ),
  counter(
    'quarantine_deleted_total',
    'Files deleted from quarantine after their grace time.',
    (s) => s.quarantined.deleted,
  ),
  counter('reads_total', 'Reads of chunks answered.', (s) => s.reads.count),
  counter('read_bytes_total', 'Bytes answered to reads.', (s) => s.reads.bytes),
  counter('mutations_total', 'Appends and overwrites committed and answered as primary.', (s) => s.mutations.count),
  counter('mutation_bytes_total', 'Bytes of those appends and overwrites.', (s) => s.mutations.bytes),
  counter('upload_frames_total', 'Frames of uploads taken, as any member of the route.', (s) => s.uploadFrames.count),
  counter('upload_bytes_total', 'Bytes of those frames.', (s) => s.uploadFrames.bytes),
  ...ledgerFamilies<ChunkserverStatistics>(({ disks }) =>
    disks.flatMap(({ directory, ledger }) => (ledger === undefined ? [] : [{ directory, ledger }])),
  ),
  ...rpcFamilies,
];
