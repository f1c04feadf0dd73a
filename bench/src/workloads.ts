/**
 * The rows of the table: each does one kind of work through the SDK. Servers run for months, so each row runs untimed
 * first, until the code is compiled; what is timed works on files of its own.
 */
import type { CairnClient } from '@cairnfs/client/node';

const MIB = 1024 * 1024;
const MB = 1_000_000;
const SMALL = new Uint8Array(4096).fill(0x5a);
const SMALL_FILES = 10_000;
const RECORD = new Uint8Array(1024).fill(0x61);

export interface Workload {
  name: string;
  /** With `ms`, the time of one piece counts, and floor and aim are what it may take. */
  unit: 'MB/s' | '/s' | 'ms';
  /** What a release must reach on the 2-core reference machine, and what the design aims at. */
  floor: number | undefined;
  aim: number;
  /** Which of the machine's own limits bounds it. */
  limit: 'threeCopiesMbPerSecond' | 'readMbPerSecond' | 'fdatasyncPerSecond' | undefined;
  /** Makes, untimed, what it works on. */
  prepare?(client: CairnClient): Promise<void>;
  /** Pieces of work: untimed, then timed. A piece is a mebibyte or an operation. */
  warmUp: number;
  pieces: number;
  /** Does so many pieces, on what is `label`'s; answers the amount in `unit` without the "per second"; with `ms`, the pieces. */
  run(client: CairnClient, pieces: number, label: string): Promise<number>;
}

export const WORKLOADS: readonly Workload[] = [
  {
    name: 'write 1 GiB, three durable copies',
    unit: 'MB/s',
    floor: 200,
    aim: 400,
    limit: 'threeCopiesMbPerSecond',
    warmUp: 256,
    pieces: 1024,
    run: (client, pieces, label) => writeFile(client, `/bench/big-${label}`, pieces),
  },
  {
    name: 'read 1 GiB',
    unit: 'MB/s',
    floor: 500,
    aim: 1000,
    limit: 'readMbPerSecond',
    warmUp: 256,
    pieces: 1024,
    run: (client, pieces, label) => readFile(client, `/bench/big-${label}`, pieces),
  },
  {
    name: 'create 4 KiB files, durable, 16 in flight',
    unit: '/s',
    floor: 1500,
    aim: 5000,
    limit: 'fdatasyncPerSecond',
    warmUp: SMALL_FILES,
    pieces: SMALL_FILES,
    async run(client, pieces, label) {
      await client.mkdir(`/bench/small-${label}`);
      return inFlight(16, pieces, (index) => client.writeFile(`/bench/small-${label}/${index}`, SMALL));
    },
  },
  {
    name: 'read 4 KiB files, 16 in flight',
    unit: '/s',
    floor: 6000,
    aim: 20_000,
    limit: undefined,
    warmUp: 20_000,
    pieces: 40_000,
    run: (client, pieces, label) =>
      inFlight(16, pieces, async (index) => {
        const bytes = await client.readFile(`/bench/small-${label}/${index % SMALL_FILES}`);
        if (bytes.length !== SMALL.length) throw new Error(`read ${bytes.length} bytes`);
      }),
  },
  {
    name: 'create empty files, durable, 64 in flight',
    unit: '/s',
    floor: 5000,
    aim: 20_000,
    limit: 'fdatasyncPerSecond',
    warmUp: 20_000,
    pieces: 40_000,
    async run(client, pieces, label) {
      await client.mkdir(`/bench/empty-${label}`);
      return inFlight(64, pieces, (index) => client.writeFile(`/bench/empty-${label}/${index}`, new Uint8Array(0)));
    },
  },
  {
    name: 'stat, 64 in flight',
    unit: '/s',
    floor: 30_000,
    aim: 100_000,
    limit: undefined,
    warmUp: 100_000,
    pieces: 200_000,
    run: (client, pieces, label) =>
      inFlight(64, pieces, (index) => client.stat(`/bench/small-${label}/${index % SMALL_FILES}`)),
  },
  {
    name: 'append 1 KiB, durable, one writer',
    unit: '/s',
    floor: 800,
    aim: 1500,
    limit: 'fdatasyncPerSecond',
    warmUp: 10_000,
    pieces: 5000,
    run: (client, pieces, label) => appends(client, `/bench/log-${label}`, 1, pieces),
  },
  {
    name: 'append 1 KiB, durable, 64 writers, one file',
    unit: '/s',
    floor: undefined,
    aim: 15_000,
    limit: 'fdatasyncPerSecond',
    warmUp: 20_000,
    pieces: 40_000,
    run: (client, pieces, label) => appends(client, `/bench/log64-${label}`, 64, pieces),
  },
];

async function writeFile(client: CairnClient, path: string, mib: number): Promise<number> {
  const stream = client.createWriteStream(path);
  const piece = Buffer.alloc(MIB, 0xc5);
  await new Promise<void>((resolve, reject) => {
    stream.once('error', reject);
    stream.once('finish', resolve);
    let sent = 0;
    const send = () => {
      while (sent < mib) {
        sent += 1;
        if (!stream.write(piece)) {
          stream.once('drain', send);
          return;
        }
      }
      stream.end();
    };
    send();
  });
  return (mib * MIB) / MB;
}

async function readFile(client: CairnClient, path: string, mib: number): Promise<number> {
  let bytes = 0;
  for await (const piece of client.createReadStream(path)) bytes += (piece as Uint8Array).length;
  if (bytes !== mib * MIB) throw new Error(`read ${bytes} of ${mib * MIB} bytes`);
  return bytes / MB;
}

/** Runs `count` operations, `width` at a time. */
export async function inFlight(
  width: number,
  count: number,
  operation: (index: number) => Promise<unknown>,
): Promise<number> {
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
