/** `forget`: the list of chunkservers without those that will not come back. */
import { parseAddress } from '@cairnfs/base';
import type { ClusterStatus } from '@cairnfs/client';
import type { Command } from 'commander';
import { action, type GlobalOptions, userCommand } from '../command.ts';
import { UsageError } from '../failure.ts';

export function forgetCommand(): Command {
  return userCommand('forget', [
    'cairn forget 4                        the dead chunkserver 4, once its chunks are copied',
    'cairn forget 10.0.0.7:9001            by its address',
    'cairn status                          tells who is dead, since when, and how many chunks count on it',
  ])
    .argument('<servers...>', 'dead chunkservers, by id or address')
    .action(
      action<[string[]], GlobalOptions>(async (context, _options, texts) => {
        const wanted = texts.map(serverArgument);
        const client = await context.client();
        const { servers } = await client.clusterStatus({ signal: context.signal });
        await context.forEach(wanted, async (server) => {
          const serverId = typeof server === 'number' ? server : idOf(servers, server);
          await client.forgetServer(serverId, { signal: context.signal });
          if (context.json) await context.printJson({ serverId });
        });
      }),
    );
}

function serverArgument(text: string): number | string {
  if (/^[1-9][0-9]{0,8}$/.test(text)) return Number(text);
  try {
    parseAddress(text);
    return text;
  } catch {
    throw new UsageError(`'${text}' is neither the id nor the address of a chunkserver: "cairn status" lists both`);
  }
}

/** A dead server and the one that took its place may have the same address. */
function idOf(servers: ClusterStatus['servers'], address: string): number {
  const there = servers.filter((server) => server.address === address);
  const dead = there.filter(({ deadSinceMs }) => deadSinceMs > 0);
  const [found, other] = dead.length > 0 ? dead : there;
  if (found === undefined) throw new Error(`no chunkserver has the address ${address}: "cairn status" lists them`);
  if (other === undefined) return found.serverId;
  const ids = dead.map(({ serverId }) => serverId).join(' and ');
  throw new Error(`the dead chunkservers ${ids} had the address ${address}: name one by its id`);
}
