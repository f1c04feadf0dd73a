/** `status`, `chunks`: the cluster itself. */
import type { ClusterStatus, LocatedChunk } from '@cairnfs/client';
import type { Command } from 'commander';
import { action, type CommandContext, type GlobalOptions, userCommand } from '../command.ts';
import { UsageError } from '../failure.ts';
import { formatExactTime } from '../output/listing.ts';
import { spaceOf } from '../output/space.ts';
import { formatTable } from '../output/table.ts';
import { counted, formatDuration, formatSize } from '../output/units.ts';
import { belowGoal, verdict } from '../output/verdict.ts';
import { remotePath } from '../paths.ts';
import { countedTree, WHAT_COUNTS } from '../tree-sum.ts';
import { addressArgument } from './options.ts';

const PROBLEMS_SHOWN = 10;

export function statusCommand(): Command {
  return userCommand('status', ['cairn status', 'cairn status --json | jq .repair'])
    .addHelpText('after', WHAT_COUNTS)
    .action(
      action<[], GlobalOptions>(async (context) => {
        const client = await context.client();
        const status = await client.clusterStatus({ signal: context.signal });
        if (context.json) await context.printJson(status);
        else await context.write(describeStatus(status));
      }),
    );
}

export function describeStatus(status: ClusterStatus): string {
  const live = status.servers.filter((server) => server.live);
  const { usedBytes: used, freeBytes: free } = spaceOf(live);
  const { repair } = status;
  const lines = [
    verdict(status),
    '',
    `cluster   ${status.clusterId}, up ${formatDuration(Date.now() - status.startedMs)}, master of ${formatSize(status.processMemoryBytes)} of memory`,
    `servers   ${live.length} of ${status.servers.length} chunkservers live`,
    `space     ${formatSize(used)} used, ${formatSize(free)} free of ${formatSize(used + free)}`,
    `files     ${countedTree({ files: status.fileCount, directories: status.directoryCount })}, ${counted(status.chunkCount, 'chunk')}`,
    `repair    ${belowGoal(repair.underReplicatedCount)}, ${repair.copyingCount} being copied, ` +
      `${repair.copiedCount} copied (${formatSize(repair.copiedBytes)}), ${repair.unavailableCount} unavailable`,
    `garbage   ${counted(repair.garbageCount, 'chunk')} waiting to be collected, ${counted(status.trashCount, 'entry', 'entries')} in /.trash`,
    '',
  ];
  const servers = formatTable(
    [
      { title: 'id', align: 'right' },
      { title: 'address' },
      { title: 'host' },
      { title: 'rack' },
      { title: 'state' },
      { title: 'cpu', align: 'right' },
      { title: 'memory', align: 'right' },
      { title: 'used', align: 'right' },
      { title: 'free', align: 'right' },
      { title: 'chunks', align: 'right' },
    ],
    status.servers.map((server) => {
      const usedBytes = sum(server.disks.map((disk) => disk.totalBytes - disk.freeBytes));
      const failures = server.disks
        .filter((disk) => disk.failure !== '')
        .map((disk) => `disk ${disk.path}: ${disk.failure}`);
      const state = server.live
        ? failures.length === 0
          ? 'live'
          : failures.join(', ')
        : server.deadSinceMs === 0
          ? `silent ${formatDuration(server.silentMs)}`
          : `dead since ${formatExactTime(server.deadSinceMs)}`;
      return [
        String(server.serverId),
        server.address,
        server.host,
        server.rack,
        state,
        // What a dead server told last says nothing of now.
        server.live && server.usage !== undefined ? `${Math.round(server.usage.cpuUsedRatio * 100)}%` : '',
        server.live && server.usage !== undefined ? formatSize(server.usage.processMemoryBytes) : '',
        formatSize(usedBytes),
        formatSize(sum(server.disks.map((disk) => disk.freeBytes))),
        String(server.replicaCount),
      ];
    }),
  );
  const problems = status.problems
    .slice(-PROBLEMS_SHOWN)
    .map((problem) => `  ${formatExactTime(problem.atMs)}  ${problem.kind}: ${problem.message}\n`);
  const heading = problems.length === 0 ? '' : `\nLast problems:\n`;
  return `${lines.join('\n')}\n${servers}${forgettable(status)}${heading}${problems.join('')}`;
}

function forgettable({ servers, safeMode }: ClusterStatus): string {
  const ids = servers
    .filter((server) => server.deadSinceMs > 0 && server.replicaCount === 0)
    .map((server) => server.serverId);
  if (safeMode || ids.length === 0) return '';
  return `\n"cairn forget ${ids.join(' ')}" takes the dead on which nothing counts any more off the list.\n`;
}

interface ChunksOptions extends GlobalOptions {
  read?: string;
  from?: string;
}

export function chunksCommand(): Command {
  return userCommand('chunks', [
    'cairn chunks /films/film.mkv',
    'cairn chunks /a --read HANDLE --from 127.0.0.1:9001 | sha256sum     one copy, from one server',
  ])
    .argument('<path>', 'a file')
    .option('--read <handle>', 'write the bytes of this chunk to standard output')
    .option('--from <host:port>', 'with --read: from this server, and no other', addressArgument)
    .action(action<[string], ChunksOptions>(chunks));
}

async function chunks(context: CommandContext, options: ChunksOptions, text: string): Promise<void> {
  if (options.from !== undefined && options.read === undefined) throw new UsageError('--from needs --read HANDLE');
  if (context.json && options.read !== undefined) {
    throw new UsageError('--read writes the bytes of the chunk as they are: not with --json');
  }
  const client = await context.client();
  const path = remotePath(text);
  const located = await client.locate(path, { signal: context.signal });
  if (options.read !== undefined) {
    const chunk = located.chunks.find(({ handle }) => handle === options.read);
    if (chunk === undefined)
      throw new Error(`ENOENT: '${path}' has no chunk ${options.read}: "cairn chunks ${path}" lists them`);
    const { signal } = context;
    const pieces =
      options.from === undefined
        ? client.readChunk(chunk, { signal })
        : client.readReplica(chunk, options.from, { signal });
    for await (const piece of pieces) await context.write(piece);
    return;
  }
  if (context.json) return context.printJson({ path, size: located.size, chunks: located.chunks });
  const rows = located.chunks.flatMap((chunk) => chunkRows(chunk));
  const columns = [
    { title: 'offset', align: 'right' },
    { title: 'length', align: 'right' },
    { title: 'chunk' },
    { title: 'version', align: 'right' },
    { title: 'state' },
    { title: 'copy on' },
    { title: '' },
  ] as const;
  const holes = located.chunks.length === 0 ? 'no chunks: the file is empty or one hole\n' : formatTable(columns, rows);
  await context.write(holes);
}

function chunkRows(chunk: LocatedChunk): string[][] {
  return chunk.replicas.map((replica, index) => {
    const server = `${replica.address} (${replica.serverId})${index === 0 && chunk.open ? ', primary' : ''}`;
    if (index > 0) return ['', '', '', '', '', server, replica.state];
    const state = chunk.open ? 'open' : 'closed';
    return [
      String(chunk.offset),
      String(chunk.length),
      chunk.handle,
      String(chunk.version),
      state,
      server,
      replica.state,
    ];
  });
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
