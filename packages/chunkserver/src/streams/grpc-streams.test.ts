import { deepEqual, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { crc32c, KiB, MiB } from '@cairnfs/base';
import type { CallContext, ReceivedData, StoreChunkRequest, UploadFrameRequest } from '@cairnfs/protocol';
import { GrpcStreams, type GrpcStreamsOptions } from './grpc-streams.ts';

const context = { deadlineMs: 1000, signal: new AbortController().signal } as unknown as CallContext;
const chunk = { handle: 'h', version: 1, replicas: [], length: 0, open: false, sequence: undefined };

interface Stored {
  readonly frames: [offset: number, length: number, sync: boolean][];
  readonly stored: Buffer;
  /** Of each frame its length and what it holds in memory. */
  readonly memory: [length: number, held: number][];
}

/** Stores what comes in pieces of these sizes; each overwrites the one before in memory. */
async function store(sizes: readonly number[]): Promise<Stored> {
  const memory: [number, number][] = [];
  const frames: [number, number, boolean][] = [];
  const parts: Uint8Array[] = [];
  const uploads = {
    frame: async ({ offset, sync }: UploadFrameRequest, { bytes, checksum }: ReceivedData) => {
      ok(crc32c(bytes) === checksum);
      frames.push([offset, bytes.length, sync]);
      memory.push([bytes.length, bytes.buffer.byteLength]);
      parts.push(bytes.slice());
      return { receivedLength: offset + bytes.length, durableLength: sync ? offset + bytes.length : 0 };
    },
  };
  const streams = new GrpcStreams({ serverId: () => 1, uploads } as unknown as GrpcStreamsOptions);
  async function* requests(): AsyncGenerator<StoreChunkRequest> {
    const reused = new Uint8Array(Math.max(...sizes));
    for (const [index, size] of sizes.entries()) {
      yield {
        chunk: index === 0 ? chunk : undefined,
        data: Buffer.from(reused.buffer, 0, size).fill(index % 251),
        checksum: undefined,
      };
    }
  }
  await streams.storeChunk(requests(), context);
  return { frames, stored: Buffer.concat(parts), memory };
}

function expected(sizes: readonly number[]): Buffer {
  return Buffer.concat(sizes.map((size, index) => Buffer.alloc(size, index % 251)));
}

test('grpc streams: pieces of any size become frames, and small ones are not held one by one', async () => {
  const sizes = [1, 3, 0, 70_000, ...Array.from({ length: 5000 }, () => 200), MiB, 1, MiB - 1, 5];
  const { frames, stored } = await store(sizes);
  const total = sizes.reduce((sum, size) => sum + size);
  const starts = Array.from({ length: Math.ceil(total / MiB) }, (_, index) => index * MiB);
  deepEqual(
    frames,
    starts.map((start) => [start, Math.min(MiB, total - start), start + MiB >= total]),
  );
  ok(stored.equals(expected(sizes)));
});

test('grpc streams: a frame holds little more memory than it has bytes', async () => {
  for (const sizes of [[4096], [4096, 4096], [70_000], [...Array(40).fill(5000)], [MiB - 1], [3 * MiB + 5], [MiB]]) {
    const { stored, memory } = await store(sizes);
    ok(stored.equals(expected(sizes)));
    for (const [length, held] of memory) ok(held <= 2 * length, `${held} bytes are held for ${length}`);
  }
});

test('grpc streams: while it is gathered, a small chunk holds no memory for a large one', async () => {
  const before = process.memoryUsage().arrayBuffers;
  const pausing: (() => void)[] = [];
  const streams = new GrpcStreams({ serverId: () => 1 } as unknown as GrpcStreamsOptions);
  async function* requests(): AsyncGenerator<StoreChunkRequest> {
    yield { chunk, data: Buffer.alloc(4096), checksum: undefined };
    await new Promise<void>((resolve) => pausing.push(resolve));
    throw new Error('the caller is gone');
  }
  const stores = Array.from({ length: 64 }, () => streams.storeChunk(requests(), context));
  while (pausing.length < stores.length) await new Promise((resolve) => setImmediate(resolve));
  const held = process.memoryUsage().arrayBuffers - before;
  ok(held < 64 * 128 * KiB, `${held} bytes are held for 64 chunks of 4 KiB`);
  for (const go of pausing) go();
  await Promise.allSettled(stores);
});
