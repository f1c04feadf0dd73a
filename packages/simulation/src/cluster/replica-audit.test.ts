import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { type ErrorCode, FsError } from '@cairnfs/base';
import type { LocatedChunk } from '@cairnfs/client';
import { auditReplicas } from './replica-audit.ts';

const ADDRESSES = ['chunkserver-1:8080', 'chunkserver-2:8080'];

test('replica audit: a missing replica is as good as an empty one, only of an open chunk that nobody holds a byte of', async () => {
  deepEqual(await lengthsRead({ open: true, held: [] }), [0, 0]);
  deepEqual(await lengthsRead({ open: false, held: [] }), [0, undefined]);
  deepEqual(await lengthsRead({ open: true, held: [7] }), [1, undefined]);
});

/** Bytes of both copies; the second server has none. */
async function lengthsRead({
  open,
  held,
}: {
  open: boolean;
  held: readonly number[];
}): Promise<(number | undefined)[]> {
  const replicas = ADDRESSES.map((address, serverId) => ({ serverId, address, state: 'live' as const }));
  const located = { offset: 0, length: 9, chunkLength: 9 };
  const chunk: LocatedChunk = { ...located, handle: 'h', version: 1, open, sequence: undefined, replicas };
  const client = {
    locate: async () => ({ size: 9, chunks: [chunk] }),
    async *readReplica(_: LocatedChunk, address: string) {
      if (address !== ADDRESSES[0]) throw new FsError('CHUNK_NOT_FOUND', 'no replica is on this server');
      yield Uint8Array.from(held);
    },
  };
  const [audited] = await auditReplicas(client, ['/f']);
  return audited!.replicas.map(({ bytes }) => bytes?.length);
}

test('replica audit: a copy whose server has no lease for the moment, or was not reached, is told from one that is bad', async () => {
  deepEqual(await unreadFor('LEASE_EXPIRED'), [true, 'no bytes']);
  deepEqual(await unreadFor('CONNECTION_LOST'), [true, 'no bytes']);
  deepEqual(await unreadFor('CHECKSUM_MISMATCH'), [false, 'no bytes']);
});

async function unreadFor(kind: ErrorCode): Promise<[boolean | undefined, string | undefined]> {
  const located = { offset: 0, length: 9, chunkLength: 9, handle: 'h', version: 1, open: false, sequence: undefined };
  const replicas = [{ serverId: 1, address: ADDRESSES[0]!, state: 'live' as const }];
  const client = {
    locate: async () => ({ size: 9, chunks: [{ ...located, replicas }] }),
    // biome-ignore lint/correctness/useYield: nothing comes
    async *readReplica(): AsyncGenerator<Uint8Array> {
      throw new FsError(kind, 'no bytes');
    },
  };
  const [audited] = await auditReplicas(client, ['/f']);
  const { isUnread, error } = audited!.replicas[0]!;
  return [isUnread, error];
}
