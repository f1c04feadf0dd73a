/** The bytes of every single replica, fetched from its own chunkserver: what a client never needs to compare. */
import { createHash } from 'node:crypto';
import type { TestCluster } from './cluster.ts';

/** Chunk handle → SHA-256 of each live replica's committed bytes, of every chunk of the file. */
export async function replicaHashes(cluster: TestCluster, path: string): Promise<Map<string, string[]>> {
  const listed = JSON.parse((await cluster.run(['chunks', path, '--json'])).toString()) as {
    chunks: { handle: string; replicas: { address: string; state: string }[] }[];
  };
  const hashes = new Map<string, string[]>();
  for (const chunk of listed.chunks) {
    const live = chunk.replicas.filter((replica) => replica.state === 'live');
    hashes.set(
      chunk.handle,
      await Promise.all(
        live.map(async (replica) => {
          const bytes = await cluster.run(['chunks', path, '--read', chunk.handle, '--from', replica.address]);
          return createHash('sha256').update(bytes).digest('hex');
        }),
      ),
    );
  }
  return hashes;
}
