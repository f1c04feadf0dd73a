import { createServer } from 'node:net';
import { FsError } from '@cairnfs/base';

/** Throws, naming the port, when one of `count` ports from `first` on is taken: better than a server that dies later. */
export async function checkPortsFree(first: number, count: number): Promise<void> {
  for (let port = first; port < first + count; port += 1) {
    await new Promise<void>((resolve, reject) => {
      const server = createServer();
      server.once('error', (cause) => {
        const message = `port ${port} is taken by another program: choose another with --port, or end that program`;
        reject(new FsError('INVALID_ARGUMENT', message, { cause }));
      });
      server.listen(port, '127.0.0.1', () => server.close(() => resolve()));
    });
  }
}
