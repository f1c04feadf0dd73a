/** A file on scripted servers: a master that locates it and chunkservers that serve its bytes, unless the test says otherwise. */
import { FsError } from '@cairnfs/base';
import { type Extent, ReplicaState } from '@cairnfs/protocol';
import type { MasterCalls } from '../call/master-calls.ts';
import { FileReader } from '../read/file-reader.ts';
import { LocatedFile } from '../read/located-file.ts';
import { ReplicaReader } from '../read/replica-reader.ts';
import { type ScriptedCall, ScriptedData, scriptedCalls } from './scripted-pool.ts';

export const INODE = 7;

export interface ScriptedChunk {
  readonly offset: number;
  readonly bytes: Uint8Array;
  /** @default {1} */
  readonly version?: number;
  /** @default {false} */
  readonly open?: boolean;
  /** Where its room ends, in the file. @default {where its bytes end} */
  readonly limit?: number;
}

export interface ReadRequest {
  readonly handle: string;
  readonly version: number;
  readonly offset: number;
  readonly length: number;
  readonly knownLength: number;
}

/** Called before each read is served; may throw, wait, or answer otherwise than the servers would. */
export type OnRead = (read: ReadRequest, address: string, call: ScriptedCall) => unknown;

export class ScriptedFile {
  readonly calls: MasterCalls;
  readonly reader: FileReader;
  readonly located: LocatedFile;
  readonly reads: { readonly address: string; readonly request: ReadRequest }[] = [];
  locateCount = 0;
  chunks: readonly ScriptedChunk[];
  size: number;
  onRead: OnRead = () => undefined;
  onLocate: () => void = () => {};

  constructor(chunks: readonly ScriptedChunk[], size = Math.max(0, ...chunks.map(endOf))) {
    this.chunks = chunks;
    this.size = size;
    this.calls = scriptedCalls((call) => this.#answer(call));
    this.reader = new FileReader(new ReplicaReader(this.calls.seams, this.calls.pool));
    this.located = new LocatedFile(this.calls, { path: '/file', inode: 0 });
  }

  async read(offset: number, length: number, options = {}): Promise<Uint8Array> {
    // Not zeros, so that what a hole reads as is seen to be written.
    const target = new Uint8Array(length).fill(0xee);
    const bytesRead = await this.reader.read(this.located, offset, target, this.calls.deadline(options));
    return target.subarray(0, bytesRead);
  }

  async #answer(call: ScriptedCall): Promise<unknown> {
    if (call.method === 'Master.Locate') return this.#locate(call.request as { offset: number; length: number });
    const request = call.request as unknown as ReadRequest;
    this.reads.push({ address: call.address, request });
    const instead = await this.onRead(request, call.address, call);
    if (instead !== undefined) return instead;
    const chunk = this.chunks.find(({ offset }) => handleOf(offset) === request.handle);
    if (chunk === undefined) throw new FsError('CHUNK_NOT_FOUND', 'no such chunk here');
    if (request.version !== (chunk.version ?? 1)) throw new FsError('STALE_VERSION', 'another version is here');
    const bytes = chunk.bytes.slice(request.offset, request.offset + request.length);
    return new ScriptedData({ length: bytes.length, committedLength: chunk.bytes.length }, bytes);
  }

  #locate({ offset, length }: { offset: number; length: number }) {
    this.locateCount += 1;
    this.onLocate();
    const overlapping = this.chunks.filter((chunk) => limitOf(chunk) > offset && chunk.offset < offset + length);
    return { inode: INODE, generation: 1, size: this.size, extents: overlapping.map(extentOf), more: false };
  }
}

export const SERVERS = ['s1:1', 's2:1', 's3:1'] as const;

function extentOf(chunk: ScriptedChunk): Extent {
  const { offset, bytes, version = 1, open = false } = chunk;
  const replicas = SERVERS.map((address, index) => {
    return { serverId: index + 1, address, state: ReplicaState.REPLICA_STATE_LIVE };
  });
  const location = { handle: handleOf(offset), version, replicas, length: open ? 0 : bytes.length, open };
  return { offset, length: open ? 0 : bytes.length, limit: limitOf(chunk), chunk: location };
}

export function handleOf(offset: number): string {
  return `chunk at ${offset}`;
}

function endOf({ offset, bytes }: ScriptedChunk): number {
  return offset + bytes.length;
}

function limitOf(chunk: ScriptedChunk): number {
  return chunk.limit ?? endOf(chunk);
}

export function pattern(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let index = 0; index < length; index += 1) bytes[index] = (index * 31 + seed * 17 + (index >> 8)) & 0xff;
  return bytes;
}
