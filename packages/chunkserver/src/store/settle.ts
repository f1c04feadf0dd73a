/**
 * Puts committed mutations in place. For a chunk file in four steps, so that a crash between any two of them leaves bytes
 * that can be made again and checked (docs/spec/chunk-format.md):
 *
 * 1. the new checksums of the blocks they touch are journalled, while their bytes are still in the state;
 * 2. once that is durable, the bytes are written to the file, which may leave a block half old and half new: whoever
 *    reads it lays the mutations over it before it checks it;
 * 3. the file is synced;
 * 4. the mutations leave the state.
 *
 * A chunk in the index is patched by the record itself. One that outgrew the index is written to a file as a whole, which
 * nobody reads before the record that says so.
 */
import { type Clock, crc32c, DiskError, type DiskFile, FsError, type Log, u64ToKey } from '@cairnfs/base';
import { BLOCK_BYTES, type BufferPool, FRAME_DATA_BYTES_MAX, OPERATION_WINDOW } from '@cairnfs/protocol';
import {
  JOURNAL_RETRY_MS,
  OPERATIONS_PER_RECORD_MAX,
  SETTLE_DELAY_MS,
  SETTLED_AT_ONCE_BYTES,
  SETTLING_MAX,
  UNSETTLED_BYTES_MAX,
  UNSETTLED_MUTATION_BYTES,
} from '../limits.ts';
import { BlockBuffers } from './block-buffers.ts';
import type { Replica, Unsettled } from './replica.ts';
import { CorruptBlockError, layOver, readBlocks } from './replica-bytes.ts';
import { readData, readOperations } from './stored-replica.ts';

export interface SettlerOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly pool: BufferPool;
  readonly corrupt: (replica: Replica, block: number) => void;
  /**
   * A frame of the chunk's upload is still being written: what is put in place before it could be overwritten by it. Or a file
   * of that name is on its way out or in, while a view made a replica: what is put in place before would leave with it.
   */
  readonly isFileTaken: (handle: string) => boolean;
  /** Committed bytes that may wait, over all replicas. */
  readonly bytesMax: number;
}

export class Settler {
  readonly #options: SettlerOptions;
  readonly #waiting = new Set<Replica>();
  readonly #settling = new Map<Replica, Promise<void>>();
  #isArmed = false;
  #isClosed = false;
  /** Memory of what waits, by replica and together. */
  readonly #held = new Map<Replica, number>();
  #heldBytes = 0;
  readonly #blocks = new BlockBuffers(SETTLING_MAX);

  constructor(options: SettlerOptions) {
    this.#options = options;
  }

  /** Committed bytes of the replica wait. */
  note(replica: Replica): void {
    this.#waiting.add(replica);
    this.#count(replica);
    if (replica.unsettledBytes > UNSETTLED_BYTES_MAX) this.#run();
    else this.#arm(SETTLE_DELAY_MS);
  }

  /** @throws FsError OVERLOADED  more would wait than may. */
  checkRoom(): void {
    const { bytesMax } = this.#options;
    if (this.#heldBytes <= bytesMax) return;
    throw new FsError(
      'OVERLOADED',
      `${this.#heldBytes} bytes of mutations wait to be put in place on this server, ${bytesMax} are the most: try again`,
    );
  }

  /** Nobody puts in place what belongs to a replica that is gone or corrupt: it holds up no others. */
  #count(replica: Replica): void {
    const isIdle = replica.isGone || replica.corruptBlocks.size > 0;
    const bytes = isIdle ? 0 : replica.unsettledBytes + replica.unsettled.length * UNSETTLED_MUTATION_BYTES;
    this.#heldBytes += bytes - (this.#held.get(replica) ?? 0);
    if (bytes === 0) this.#held.delete(replica);
    else this.#held.set(replica, bytes);
  }

  /** Begins nothing more, and waits for what is under way: the index has the rest until the next start. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#settling.values());
  }

  #arm(delayMs: number): void {
    if (this.#isArmed || this.#isClosed) return;
    this.#isArmed = true;
    this.#options.clock.after(delayMs, () => {
      this.#isArmed = false;
      this.#run();
    });
  }

  #run(): void {
    if (this.#isClosed) return;
    for (const replica of this.#waiting) {
      if (this.#settling.size >= SETTLING_MAX) return;
      if (this.#settling.has(replica)) continue;
      if (this.#options.isFileTaken(replica.handle)) {
        this.#arm(SETTLE_DELAY_MS);
        continue;
      }
      this.#waiting.delete(replica);
      this.#count(replica);
      if (replica.isGone || replica.corruptBlocks.size > 0 || replica.unsettled.length === 0) continue;
      const done = this.#settle(replica).finally(() => {
        this.#settling.delete(replica);
        this.#count(replica);
        if (this.#waiting.size > 0) this.#arm(JOURNAL_RETRY_MS);
      });
      this.#settling.set(replica, done);
    }
  }

  async #settle(replica: Replica): Promise<void> {
    const { log, corrupt } = this.#options;
    replica.uses += 1;
    try {
      if (replica.isInFile) await this.#settleFile(replica);
      else await this.#settleIndex(replica);
      forgetOperations(replica);
      if (replica.unsettled.length > 0) this.note(replica);
    } catch (error) {
      const fault = isMissing(error) ? new CorruptBlockError(replica.handle, 0) : replica.store.fault(error);
      if (fault instanceof CorruptBlockError) corrupt(replica, fault.block);
      else if (fault.kind === 'DAMAGED') corrupt(replica, 0);
      else if (!replica.isGone && replica.store.failure === undefined) {
        log.warn('committed bytes could not be put in place yet', { handle: replica.handle, error: fault.message });
        this.note(replica); // the journal and the index hold them meanwhile
      }
    } finally {
      replica.uses -= 1;
    }
  }

  async #settleFile(replica: Replica): Promise<void> {
    const { store, handle } = replica;
    const batch = nextBatch(replica);
    const last = batch.at(-1)!;
    const length = Math.max(replica.summedLength, last.lengthAfter);
    const blocks = touchedBlocks(batch);
    const blockChecksums: number[] = [];
    for (const block of blocks) {
      const offset = block * BLOCK_BYTES;
      const end = Math.min(offset + BLOCK_BYTES, length);
      const { memory } = await readBlocks(replica, { offset, end, through: last.sequence }, this.#blocks);
      blockChecksums.push(crc32c(memory.bytes.subarray(0, end - offset)));
      this.#blocks.giveBack(memory);
    }
    const summed = { sequence: last.sequence, length, blocks, blockChecksums };
    const appended = store.append(handle, { $case: 'summed', value: summed });
    const { settledSequence } = replica;
    replica.refresh({ summedLength: length, summedSequence: last.sequence, settledSequence, isInFile: true });
    await store.durable(appended);
    await store.files.use(store.chunkPath(handle), 'readWrite', async (file) => {
      await place(file, batch);
      await file.sync();
    });
    store.append(handle, { $case: 'settled', value: { sequence: last.sequence } });
    const { summedLength, summedSequence } = replica;
    replica.refresh({ summedLength, summedSequence, settledSequence: last.sequence, isInFile: true });
  }

  async #settleIndex(replica: Replica): Promise<void> {
    const { store, handle } = replica;
    // Checked before the record patches it: a flipped bit would get a good checksum.
    if (replica.summedLength > 0) {
      const { summedLength: end, summedSequence: through } = replica;
      this.#blocks.giveBack((await readBlocks(replica, { offset: 0, end, through }, this.#blocks)).memory);
    }
    const batch = nextBatch(replica);
    const { sequence, lengthAfter: length } = batch.at(-1)!;
    if (length <= BLOCK_BYTES) {
      store.append(handle, { $case: 'settled', value: { sequence } });
      replica.refresh(inPlace(sequence, length, false));
      return;
    }
    const blockChecksums = await this.#writeWhole(replica, batch, length);
    store.append(handle, { $case: 'movedToFile', value: { sequence, length, blockChecksums } });
    replica.refresh(inPlace(sequence, length, true));
  }

  /** @returns the checksums of its blocks. */
  async #writeWhole({ store, handle }: Replica, batch: readonly Unsettled[], length: number): Promise<number[]> {
    const before = readData(store.ledger.view(), handle);
    const blockChecksums: number[] = [];
    const memory = this.#options.pool.take(FRAME_DATA_BYTES_MAX);
    try {
      await store.files.use(store.chunkPath(handle), 'openOrCreate', async (file) => {
        await file.truncate(0);
        for (let start = 0; start < length; start += FRAME_DATA_BYTES_MAX) {
          const piece = memory.bytes.subarray(0, Math.min(FRAME_DATA_BYTES_MAX, length - start)).fill(0);
          if (start === 0) piece.set(before);
          for (const mutation of batch) layOver(piece, start, mutation);
          for (let at = 0; at < piece.length; at += BLOCK_BYTES) {
            blockChecksums.push(crc32c(piece.subarray(at, at + BLOCK_BYTES)));
          }
          await file.write(start, [piece]);
        }
        await file.sync();
      });
      await store.syncName(handle);
    } finally {
      memory.release();
    }
    return blockChecksums;
  }
}

/** All up to `sequence` is in place and summed. */
function inPlace(sequence: number, length: number, isInFile: boolean): Parameters<Replica['refresh']>[0] {
  return { summedLength: length, summedSequence: sequence, settledSequence: sequence, isInFile };
}

/** The first mutations that are not in place. */
function nextBatch({ unsettled }: Replica): Unsettled[] {
  let bytes = 0;
  let count = 0;
  for (; count < unsettled.length && bytes < SETTLED_AT_ONCE_BYTES; count += 1) bytes += unsettled[count]!.bytes.length;
  return unsettled.slice(0, count);
}

/** The chunk file is gone: damage to this replica alone. */
function isMissing(error: unknown): boolean {
  return error instanceof DiskError && error.code === 'ENOENT';
}

const ZEROS = new Uint8Array(BLOCK_BYTES);

/** In their order; those that go on where the one before ended are written together, as a log's appends do. */
async function place(file: DiskFile, batch: readonly Unsettled[]): Promise<void> {
  let run: Uint8Array[] = [];
  let runStart = 0;
  let runEnd = 0;
  const writeRun = (): Promise<void> => file.write(runStart, run);
  for (const { offset, bytes, lengthBefore } of batch) {
    const goesOn = offset === runEnd && lengthBefore >= offset && runEnd - runStart < FRAME_DATA_BYTES_MAX;
    if (!goesOn) {
      await writeRun();
      run = [];
      runStart = offset;
      // The file may hold bytes of an upload there that were cut off or never acknowledged.
      for (let at = lengthBefore; at < offset; at += BLOCK_BYTES) {
        await file.write(at, [ZEROS.subarray(0, Math.min(BLOCK_BYTES, offset - at))]);
      }
    }
    run.push(bytes);
    runEnd = offset + bytes.length;
  }
  await writeRun();
}

function touchedBlocks(batch: readonly Unsettled[]): number[] {
  const blocks = new Set<number>();
  for (const { offset, bytes, lengthBefore } of batch) {
    const first = Math.floor(Math.min(offset, lengthBefore) / BLOCK_BYTES);
    const end = Math.ceil((offset + bytes.length) / BLOCK_BYTES);
    for (let block = first; block < end; block += 1) blocks.add(block);
  }
  return [...blocks].sort((a, b) => a - b);
}

/**
 * Removes entries from the index that the operation table let go. That they were there is known of their clients from the
 * same record on.
 */
function forgetOperations(replica: Replica): void {
  const { store, handle, operations: table } = replica;
  if (replica.storedOperations < table.resultCount + OPERATION_WINDOW) return;
  const kept = new Set(table.entries(Number.MAX_SAFE_INTEGER).map(({ client, number }) => client + u64ToKey(number)));
  const { entries, windows } = readOperations(store.ledger.view(), handle);
  const isLetGo = ({ client, number }: { client: string; number: number }) => !kept.has(client + u64ToKey(number));
  const forgotten = entries.filter(isLetGo).slice(0, OPERATIONS_PER_RECORD_MAX);
  replica.storedOperations = entries.length - forgotten.length;
  if (forgotten.length === 0) return;
  const clients = replica.clientWindows(new Set(forgotten.map(({ client }) => client)));
  // Of a client without an operation for so long that the table forgot it nothing is kept.
  const gone = windows.filter(({ client }) => table.window(client) === undefined);
  const removed = [...forgotten, ...gone.map(({ client }) => ({ client, number: 0 }))];
  const value = {
    operations: removed.map(({ client, number }) => Buffer.from(client + u64ToKey(number), 'latin1')),
    clients: clients.map((window) => ({ ...window, client: Buffer.from(window.client, 'latin1') })),
  };
  store.append(handle, { $case: 'operationsForgotten', value });
}
