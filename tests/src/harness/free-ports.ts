/**
 * Ports for the servers of one process of tests. A server that is killed and started again needs its port again, and
 * must find it free: so no other process of tests may take it meanwhile, nor the system for a connection.
 */
import { createServer, type Server } from 'node:net';

/**
 * Each process takes a block, and holds its first port for as long as it lives: that says that the block is taken. Blocks
 * lie below the ports that Linux gives to connections (from 32,768 on), and only in each second thousand: `cairn up`
 * takes the ports a thousand higher, too.
 */
const BLOCK_PORTS = 50;
const BLOCKS = Array.from({ length: 11 }, (_, thousands) =>
  Array.from({ length: 1000 / BLOCK_PORTS }, (_, block) => 10_000 + thousands * 2000 + block * BLOCK_PORTS),
).flat();

let held: Promise<number> | undefined;
/** Those before it were given out already; all of them come again in time. */
let nextInBlock = 1;

/** `count` ports in a row that nobody listens on. */
export async function freePorts(count: number): Promise<number[]> {
  held ??= holdBlock();
  const block = await held;
  for (let attempt = 0; attempt < BLOCK_PORTS; attempt += 1) {
    if (nextInBlock + count > BLOCK_PORTS) nextInBlock = 1;
    const ports = Array.from({ length: count }, (_, index) => block + nextInBlock + index);
    nextInBlock += count;
    if (await allFree(ports)) return ports;
  }
  throw new Error(`no ${count} ports in a row are free between ${block} and ${block + BLOCK_PORTS}`);
}

async function holdBlock(): Promise<number> {
  // Beginning at another one each time, so that a port is not taken again by the next process at once.
  const start = process.pid % BLOCKS.length;
  for (const block of [...BLOCKS.slice(start), ...BLOCKS.slice(0, start)]) {
    const holder = await listen(block);
    if (holder === undefined) continue;
    holder.unref();
    return block;
  }
  throw new Error('all blocks of ports for tests are taken');
}

async function allFree(ports: readonly number[]): Promise<boolean> {
  for (const port of ports) {
    const server = await listen(port);
    if (server === undefined) return false;
    await new Promise((resolve) => server.close(resolve));
  }
  return true;
}

/** Undefined when somebody else does. */
function listen(port: number): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}
