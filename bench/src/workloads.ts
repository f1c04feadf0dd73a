/** The rows of the table: each does one kind of work through the SDK and answers how much of it there was. */
import type { CairnClient } from '@cairnfs/client/node';

const MIB = 1024 * 1024;
const BIG_BYTES = 1024 * MIB;
const SMALL = new Uint8Array(4096).fill(0x5a);
const RECORD = new Uint8Array(1024).fill(0x61);

export interface Workload {
  name: string;
  unit: 'MiB/s' | '/s';
  /** What a release must reach on the 2-core reference machine, and what the design aims at. */
  floor: number | undefined;
  aim: number;
  /** Which of the machine's own limits bounds it. */
  limit: 'threeCopiesMibPerSecond' | 'readMibPerSecond' | 'fdatasyncPerSecond' | undefined;
  /** Not timed. */
  prepare?(client: CairnClient): Promise<void>;
  /** Does the work; answers the amount in `unit` without the "per second". */
  run(client: CairnClient): Promise<number>;
}

export const WORKLOADS: readonly Workload[] = [
  {
    name: 'write 1 GiB, three durable copies',
    unit: 'MiB/s',
    floor: 200,
    aim: 400,
    limit: 'threeCopiesMibPerSecond',
    async run(client) {
      const stream = client.createWriteStream('/bench/big');
      const piece = Buffer.alloc(MIB, 0xc5);
      await new Promise<void>((resolve, reject) => {
        stream.once('error', reject);
        stream.once('finish', resolve);
        let sent = 0;
        const send = () => {
          while (sent < BIG_BYTES) {
            sent += MIB;
            if (!stream.write(piece)) {
              stream.once('drain', send);
              return;
            }
          }
          stream.end();
        };
        send();
      });
      return BIG_BYTES / MIB;
    },
  },
  {
    name: 'read 1 GiB',
    unit: 'MiB/s',
    floor: 500,
    aim: 1000,
    limit: 'readMibPerSecond',
    async run(client) {
      let bytes = 0;
      for await (const piece of client.createReadStream('/bench/big')) bytes += (piece as Uint8Array).length;
      if (bytes !== BIG_BYTES) throw new Error(`read ${bytes} of ${BIG_BYTES} bytes`);
      return bytes / MIB;
    },
  },
  {
    name: 'create 4 KiB files, durable, 16 in flight',
    unit: '/s',
    floor: 1500,
    aim: 5000,
    limit: 'fdatasyncPerSecond',
    prepare: (client) => makeDirectory(client, '/bench/small'),
    run: (client) => inFlight(16, 10_000, (index) => client.writeFile(`/bench/small/${index}`, SMALL)),
  },
  {
    name: 'read 4 KiB files, 16 in flight',
    unit: '/s',
    floor: 6000,
    aim: 20_000,
    limit: undefined,
    run: (client) =>
      inFlight(16, 20_000, async (index) => {
        const bytes = await client.readFile(`/bench/small/${index % 10_000}`);
        if (bytes.length !== SMALL.length) throw new Error(`read ${bytes.length} bytes`);
      }),
  },
  {
    name: 'create empty files, durable, 64 in flight',
    unit: '/s',
    floor: 5000,
    aim: 20_000,
    limit: 'fdatasyncPerSecond',
    prepare: (client) => makeDirectory(client, '/bench/empty'),
    run: (client) => inFlight(64, 30_000, (index) => client.writeFile(`/bench/empty/${index}`, new Uint8Array(0))),
  },
  {
    name: 'stat, 64 in flight',
    unit: '/s',
    floor: 30_000,
    aim: 100_000,
    limit: undefined,
    run: (client) => inFlight(64, 100_000, (index) => client.stat(`/bench/small/${index % 10_000}`)),
  },
  {
    name: 'append 1 KiB, durable, one writer',
    unit: '/s',
    floor: 800,
    aim: 1500,
    limit: 'fdatasyncPerSecond',
    run: (client) => appends(client, '/bench/log', 1, 3000),
  },
  {
    name: 'append 1 KiB, durable, 64 writers, one file',
    unit: '/s',
    floor: undefined,
    aim: 15_000,
    limit: 'fdatasyncPerSecond',
    run: (client) => appends(client, '/bench/log64', 64, 20_000),
  },
];

async function makeDirectory(client: CairnClient, path: string): Promise<void> {
  await client.mkdir(path, { recursive: true });
}

/** Runs `count` operations, `width` at a time. */
async function inFlight(width: number, count: number, operation: (index: number) => Promise<unknown>): Promise<number> {
  let next = 0;
  const worker = async () => {
    while (next < count) {
      const index = next;
      next += 1;
      await operation(index);
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
  return count;
}

async function appends(client: CairnClient, path: string, writers: number, count: number): Promise<number> {
  const handle = await client.open(path, 'a');
  try {
    return await inFlight(writers, count, () => handle.appendRecord(RECORD));
  } finally {
    await handle.close();
  }
}
