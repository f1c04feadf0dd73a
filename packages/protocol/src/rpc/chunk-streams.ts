/**
 * The streaming calls of the `Chunkserver` service, free of any transport. The chunkserver implements them; the gRPC
 * adapter in `runtime` serves them. `context.data` is always absent: over gRPC the bytes travel inside the messages.
 */
import type {
  ReplicateChunkReply,
  ReplicateChunkRequest,
  RetrieveChunkReply,
  RetrieveChunkRequest,
  StoreChunkReply,
  StoreChunkRequest,
} from '../gen/cairn/v1/chunkserver.ts';
import type { CallContext } from './types.ts';

/**
 * Requests are pulled: nothing is read from the peer while the iterator is not asked for its next value. Iterating throws
 * the `FsError` (CANCELLED, CONNECTION_LOST, DEADLINE_EXCEEDED) that ended the caller's side. A refusal is thrown, by
 * the promise or by the iterable returned; the requests not yet read are then dropped.
 */
export interface ChunkStreams {
  /** Answers when every member of the plan has the bytes on stable storage. */
  storeChunk(requests: AsyncIterable<StoreChunkRequest>, context: CallContext): Promise<StoreChunkReply>;
  /** Items are pulled as the receiver takes them; each holds at most 1 MiB and the checksum of its data. */
  retrieveChunk(request: RetrieveChunkRequest, context: CallContext): AsyncIterable<RetrieveChunkReply>;
  replicateChunk(
    requests: AsyncIterable<ReplicateChunkRequest>,
    context: CallContext,
  ): AsyncIterable<ReplicateChunkReply>;
}
