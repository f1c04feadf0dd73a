/**
 * The streaming calls of other languages over gRPC (docs/protocol.md): the server that is called acts as the first member
 * and feeds the same uploads and reads as the framed protocol. Messages of any size are gathered into frames.
 */
import { concatBytes, crc32c, FsError, KiB } from '@cairnfs/base';
import {
  type CallContext,
  type ChunkLocation,
  type ChunkStreams,
  FRAME_DATA_BYTES_MAX,
  PooledBytes,
  type ReplicateChunkReply,
  type ReplicateChunkRequest,
  type RetrieveChunkReply,
  type RetrieveChunkRequest,
  type StoreChunkReply,
  type StoreChunkRequest,
  type UploadFrameReply,
} from '@cairnfs/protocol';
import { notFound } from '../mutation/secondary.ts';
import type { Reads } from '../read/reads.ts';
import type { Replicas } from '../store/replicas.ts';
import type { Uploads } from '../upload/uploads.ts';

export interface GrpcStreamsOptions {
  readonly serverId: () => number;
  readonly reads: Reads;
  readonly replicas: Replicas;
  readonly uploads: Uploads;
}

export class GrpcStreams implements ChunkStreams {
  readonly #options: GrpcStreamsOptions;

  constructor(options: GrpcStreamsOptions) {
    this.#options = options;
  }

  async storeChunk(requests: AsyncIterable<StoreChunkRequest>, context: CallContext): Promise<StoreChunkReply> {
    let gathered: FrameGatherer | undefined;
    for await (const { chunk, data, checksum } of requests) {
      gathered ??= this.#gather(chunk, context, 0);
      checkSum(data, checksum);
      await gathered.take(data);
    }
    if (gathered === undefined) throw new FsError('INVALID_ARGUMENT', 'the first message names the chunk; none came');
    const { durableLength } = await gathered.finish();
    return { length: durableLength };
  }

  async *retrieveChunk(request: RetrieveChunkRequest, context: CallContext): AsyncIterable<RetrieveChunkReply> {
    const { handle, version, knownLength } = request;
    let offset = request.offset;
    const replica = this.#options.replicas.find(handle);
    if (replica === undefined) throw notFound(handle);
    const end = request.length === 0 ? Number.MAX_SAFE_INTEGER : offset + request.length;
    while (offset < end) {
      const length = Math.min(FRAME_DATA_BYTES_MAX, end - offset);
      const asked = { handle, version, offset, length, knownLength };
      const { message, data } = await this.#options.reads.read(asked, context);
      if (data === undefined) return;
      const bytes = concatBytes(data.buffers);
      data.sent?.();
      yield { offset, data: bytes, checksum: data.checksum };
      offset += message.length;
      if (offset >= message.committedLength) return;
    }
  }

  async *replicateChunk(
    requests: AsyncIterable<ReplicateChunkRequest>,
    context: CallContext,
  ): AsyncIterable<ReplicateChunkReply> {
    let gathered: FrameGatherer | undefined;
    let expected = 0;
    for await (const { chunk, offset, data, checksum, isFinal } of requests) {
      if (gathered === undefined) expected = offset;
      gathered ??= this.#gather(chunk, context, offset);
      if (offset !== expected)
        throw new FsError('INVALID_ARGUMENT', `data at ${offset} came where ${expected} follows`);
      checkSum(data, data.length === 0 ? undefined : checksum);
      expected += data.length;
      const reply = await gathered.take(data);
      if (reply !== undefined) yield reply;
      if (!isFinal) continue;
      yield await gathered.finish();
      return;
    }
    if (gathered !== undefined) yield await gathered.finish();
  }

  #gather(chunk: ChunkLocation | undefined, { deadlineMs, signal }: CallContext, offset: number): FrameGatherer {
    if (chunk === undefined)
      throw new FsError('INVALID_ARGUMENT', 'the first message names the chunk and its replicas');
    const serverId = this.#options.serverId();
    const route = chunk.replicas.filter((replica) => replica.serverId !== serverId).map(({ address }) => address);
    const members = chunk.replicas.map((replica) => replica.serverId);
    const { handle, version } = chunk;
    return new FrameGatherer(offset, (at, bytes, sync) => {
      const request = { handle, version, offset: at, route, fanOut: false, sync, members, uploadId: '' };
      const data = { bytes, checksum: crc32c(bytes), memory: new PooledBytes(bytes) };
      return this.#options.uploads.frame(request, data, { deadlineMs, signal });
    });
  }
}

const NOTHING = new Uint8Array(0);
/** Memory that the first small piece takes: many small chunks are stored at once. It doubles as pieces come. */
const GATHERED_BYTES_MIN = 64 * KiB;

type SendFrame = (offset: number, bytes: Uint8Array, sync: boolean) => Promise<UploadFrameReply>;

/** Makes frames of 1 MiB out of pieces of any size; the last frame, and only it, asks for stable storage. */
class FrameGatherer {
  readonly #send: SendFrame;
  #offset: number;
  /** Begins with all so far; a piece that is a whole frame as it came. Kept one by one, messages of a byte would take a hundred times that. */
  #frame: Uint8Array = NOTHING;
  #bytes = 0;

  constructor(offset: number, send: SendFrame) {
    this.#offset = offset;
    this.#send = send;
  }

  /** @returns the answer to the last frame that became full. */
  async take(piece: Uint8Array): Promise<UploadFrameReply | undefined> {
    let reply: UploadFrameReply | undefined;
    for (let rest = piece; rest.length > 0; ) {
      // A full frame waits for more, because the last one has to ask for the sync.
      if (this.#bytes === FRAME_DATA_BYTES_MAX) reply = await this.#flush(false);
      const part = rest.subarray(0, FRAME_DATA_BYTES_MAX - this.#bytes);
      this.#add(part);
      rest = rest.subarray(part.length);
    }
    return reply;
  }

  finish(): Promise<UploadFrameReply> {
    if (this.#bytes === 0) throw new FsError('INVALID_ARGUMENT', 'a chunk of no bytes cannot be stored');
    return this.#flush(true);
  }

  #add(part: Uint8Array): void {
    const bytes = this.#bytes + part.length;
    if (part.length === FRAME_DATA_BYTES_MAX && isMostOfItsMemory(part)) {
      this.#frame = part;
    } else {
      if (bytes > this.#frame.length) this.#grow(bytes);
      this.#frame.set(part, this.#bytes);
    }
    this.#bytes = bytes;
  }

  #grow(bytes: number): void {
    let length = Math.max(this.#frame.length, GATHERED_BYTES_MIN);
    while (length < bytes) length *= 2;
    const grown = new Uint8Array(Math.min(length, FRAME_DATA_BYTES_MAX));
    grown.set(this.#frame.subarray(0, this.#bytes));
    this.#frame = grown;
  }

  async #flush(sync: boolean): Promise<UploadFrameReply> {
    const gathered = this.#frame.subarray(0, this.#bytes);
    // Its memory is held until it is on the disk.
    const bytes = isMostOfItsMemory(gathered) ? gathered : new Uint8Array(gathered);
    const offset = this.#offset;
    this.#frame = NOTHING;
    this.#bytes = 0;
    this.#offset += bytes.length;
    return this.#send(offset, bytes, sync);
  }
}

/** Half of it at least: little else is held with it. */
function isMostOfItsMemory({ length, buffer }: Uint8Array): boolean {
  return 2 * length >= buffer.byteLength;
}

function checkSum(data: Uint8Array, checksum: number | undefined): void {
  if (checksum === undefined || checksum === crc32c(data)) return;
  throw new FsError(
    'CHECKSUM_MISMATCH',
    `${data.length} bytes came with another checksum than they have: send them again`,
  );
}
