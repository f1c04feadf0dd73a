/** What the machine itself can do, measured in the same run as CairnFS: the only fair thing to divide by. */
import { closeSync, fdatasync, fdatasyncSync, openSync, readSync, rmSync, write, writeSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';

const MIB = 1024 * 1024;
const MB = 1_000_000;
const writeAsync = promisify(write);
const fdatasyncAsync = promisify(fdatasync);

export interface MachineLimits {
  threeCopiesMbPerSecond: number;
  readMbPerSecond: number;
  loopbackMbPerSecond: number;
  fdatasyncPerSecond: number;
}

export async function measureMachine(directory: string): Promise<MachineLimits> {
  return {
    threeCopiesMbPerSecond: await threeCopies(directory, 1024),
    readMbPerSecond: readBack(directory, 1024),
    loopbackMbPerSecond: await loopback(1024),
    fdatasyncPerSecond: syncs(directory, 500),
  };
}

/** Three local files written side by side, each made durable at the end. */
async function threeCopies(directory: string, mib: number): Promise<number> {
  const piece = Buffer.alloc(MIB, 7);
  const started = performance.now();
  await Promise.all(
    [0, 1, 2].map(async (copy) => {
      const fd = openSync(join(directory, `copy-${copy}`), 'w');
      for (let index = 0; index < mib; index += 1) await writeAsync(fd, piece, 0, MIB, index * MIB);
      await fdatasyncAsync(fd);
      closeSync(fd);
    }),
  );
  const rate = (mib * MIB) / MB / seconds(started);
  for (const copy of [1, 2]) rmSync(join(directory, `copy-${copy}`));
  return rate;
}

/** One local file, from the page cache. */
function readBack(directory: string, mib: number): number {
  const path = join(directory, 'copy-0');
  const piece = Buffer.alloc(MIB);
  const fd = openSync(path, 'r');
  const started = performance.now();
  for (let index = 0; index < mib; index += 1) readSync(fd, piece, 0, MIB, index * MIB);
  const rate = (mib * MIB) / MB / seconds(started);
  closeSync(fd);
  rmSync(path);
  return rate;
}

/** One TCP connection to ourselves, both ends in this process. */
async function loopback(mib: number): Promise<number> {
  const piece = Buffer.alloc(MIB, 3);
  const started = performance.now();
  await new Promise<void>((resolve, reject) => {
    let receivedBytes = 0;
    const server = createServer((socket) => {
      socket.on('data', (data) => {
        receivedBytes += data.length;
        if (receivedBytes === mib * MIB) {
          socket.destroy();
          server.close(() => resolve());
        }
      });
    });
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const socket = connect((server.address() as { port: number }).port, '127.0.0.1');
      socket.once('error', reject);
      let sent = 0;
      const send = () => {
        while (sent < mib) {
          sent += 1;
          if (!socket.write(piece)) {
            socket.once('drain', send);
            return;
          }
        }
      };
      send();
    });
  });
  return (mib * MIB) / MB / seconds(started);
}

/** 4 KiB written and made durable, one after another, in a file that already has its size. */
function syncs(directory: string, count: number): number {
  const path = join(directory, 'syncs');
  const block = Buffer.alloc(4096, 1);
  const fd = openSync(path, 'w');
  writeSync(fd, Buffer.alloc(count * block.length));
  fdatasyncSync(fd);
  const started = performance.now();
  for (let index = 0; index < count; index += 1) {
    writeSync(fd, block, 0, block.length, index * block.length);
    fdatasyncSync(fd);
  }
  const rate = count / seconds(started);
  closeSync(fd);
  rmSync(path);
  return rate;
}

function seconds(startedMs: number): number {
  return (performance.now() - startedMs) / 1000;
}
