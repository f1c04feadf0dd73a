/**
 * The subcommands, in the order in which help lists them. Only the one that was typed is loaded: most of what `cairn`
 * takes to start is loading code, and `cairn ls` needs neither the servers nor their configuration.
 */
import type { Command } from 'commander';

export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  load(): Promise<Command>;
}

const cluster = () => import('./cluster.ts');
const find = () => import('./find.ts');
const list = () => import('./list.ts');
const namespace = () => import('./namespace.ts');
const read = () => import('./read.ts');
const servers = () => import('./servers.ts');

export const COMMANDS: readonly CommandEntry[] = [
  entry('put', 'Store local files and trees in the cluster', async () => (await import('./put.ts')).putCommand()),
  entry('get', 'Fetch files and trees from the cluster', async () => (await import('./get.ts')).getCommand()),
  entry('cat', 'Write files to standard output', async () => (await read()).catCommand()),
  entry('head', 'Write the first lines or bytes of a file', async () => (await read()).headCommand()),
  entry('tail', 'Write the last lines or bytes of a file', async () => (await read()).tailCommand()),
  entry('append', 'Append to a file (made when missing); durable and exactly once', async () =>
    (await import('./append.ts')).appendCommand(),
  ),
  entry('ls', 'List directories', async () => (await list()).lsCommand()),
  entry('mkdir', 'Make directories', async () => (await namespace()).mkdirCommand()),
  entry(
    'rm',
    'Delete files and directories (into /.trash, kept for 3 days unless the master says otherwise)',
    async () => (await namespace()).rmCommand(),
  ),
  entry('mv', 'Rename or move, atomically', async () => (await namespace()).mvCommand()),
  entry('cp', 'Copy within the cluster', async () => (await namespace()).cpCommand()),
  entry('touch', 'Make empty files, or set the modification time of those there are to now', async () =>
    (await namespace()).touchCommand(),
  ),
  entry('truncate', 'Cut a file, or extend it with zeros', async () => (await namespace()).truncateCommand()),
  entry('stat', 'Show everything known of a file or directory', async () => (await list()).statCommand()),
  entry('du', 'Add up the sizes below directories', async () => (await find()).duCommand()),
  entry('find', 'Find files by name, type, size or age', async () => (await find()).findCommand()),
  entry('checksum', 'SHA-256 of files, in the format of sha256sum', async () => (await list()).checksumCommand()),
  entry('status', 'Servers, space and health at a glance', async () => (await cluster()).statusCommand()),
  entry('chunks', 'Show the chunks of a file and where their copies are', async () =>
    (await cluster()).chunksCommand(),
  ),
  entry('fsck', 'Check that every chunk of every file has its copies (changes nothing)', async () =>
    (await import('./fsck.ts')).fsckCommand(),
  ),
  entry('forget', 'Take dead chunkservers that hold nothing any more off the list', async () =>
    (await import('./forget.ts')).forgetCommand(),
  ),
  entry('up', 'Run a whole cluster on this machine, in the foreground', async () => (await servers()).upCommand()),
  entry('master', 'Run one master', async () => (await servers()).masterCommand()),
  entry('chunkserver', 'Run one chunkserver', async () => (await servers()).chunkserverCommand()),
  entry('config', 'Print example configurations of the servers', async () =>
    (await import('./config.ts')).configCommand(),
  ),
];

function entry(name: string, summary: string, load: () => Promise<Command>): CommandEntry {
  return { name, summary, load };
}
