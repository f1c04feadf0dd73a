/** The rows about one directory of very many names. */
import type { CairnClient } from '@cairnfs/client/node';
import { inFlight, type Workload } from './workloads.ts';

const DIRECTORY = '/bench/names';
const PAGE = 1000;

export function listingWorkloads(names: number): Workload[] {
  const told = names.toLocaleString('en');
  const prepare = (client: CairnClient) => fill(client, names);
  return [
    {
      name: `list: first page of ${told} names`,
      unit: 'ms',
      floor: 50,
      aim: 10,
      limit: undefined,
      prepare,
      warmUp: 10,
      pieces: 50,
      async run(client, pieces) {
        for (let count = 0; count < pieces; count += 1) {
          const { entries } = await client.list(DIRECTORY, { limit: PAGE });
          if (entries.length !== Math.min(PAGE, names)) throw new Error(`listed ${entries.length} names`);
        }
        return pieces;
      },
    },
    {
      name: `list: all of ${told} names, page by page`,
      unit: '/s',
      floor: 100_000,
      aim: 300_000,
      limit: undefined,
      prepare,
      warmUp: 1,
      pieces: 3,
      async run(client, pieces) {
        let listed = 0;
        for (let count = 0; count < pieces; count += 1) {
          for await (const entry of client.opendir(DIRECTORY)) if (entry.isFile()) listed += 1;
        }
        if (listed !== pieces * names) throw new Error(`listed ${listed} names`);
        return listed;
      },
    },
  ];
}

async function fill(client: CairnClient, names: number): Promise<void> {
  if (await client.exists(DIRECTORY)) return;
  await client.mkdir(DIRECTORY);
  await inFlight(64, names, (index) => client.writeFile(`${DIRECTORY}/${index}`, new Uint8Array(0)));
}
