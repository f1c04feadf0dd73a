/** The SDK on Node: real time, randomness and sockets, Node's streams, local files. */
import type { Readable, Writable } from 'node:stream';
import { FsError, type Log, parseAddress } from '@cairnfs/base';
import { RuntimeClock, RuntimeNetwork, RuntimeRandom } from '@cairnfs/runtime';
import { CairnClient as PortableClient } from './client.ts';
import { downloadTree, type TransferOptions, type TransferResult, uploadTree } from './local/node-transfer.ts';
import type { CallOptions, ClientOptions } from './options.ts';
import { readableOf, writableTo } from './streams.ts';
import type { UploadOptions } from './write/upload.ts';
import { iterableSource } from './write/upload-source.ts';

export { concernsAll } from './local/concerns-all.ts';
export type { FailedTransfer, TransferOptions, TransferProgress, TransferResult } from './local/node-transfer.ts';

/** What happens inside the SDK is told by its errors; a program that wants to follow it hands in a log. */
const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => SILENT };

export class CairnClient extends PortableClient {
  /** Bytes `start` to `end`, both inclusive, as in `node:fs`. */
  createReadStream(
    path: string,
    { encoding, ...options }: CallOptions & { start?: number; end?: number; encoding?: BufferEncoding } = {},
  ): Readable {
    const stream = readableOf(this.readPieces(path, options));
    return encoding === undefined ? stream : stream.setEncoding(encoding);
  }

  /** The file appears, or is replaced, when the stream finishes. */
  createWriteStream(path: string, options: UploadOptions = {}): Writable {
    return writableTo((pieces) => this.store(path, iterableSource(pieces), options));
  }

  /** Stores a local file, or a tree with `recursive`; modes and modification times are kept. */
  upload(localPath: string, path: string, options: TransferOptions = {}): Promise<TransferResult> {
    return uploadTree(this, localPath, path, options);
  }

  /** Fetches a file, or a tree with `recursive`; modes and modification times are kept. */
  download(path: string, localPath: string, options: TransferOptions = {}): Promise<TransferResult> {
    return downloadTree(this, path, localPath, options);
  }
}

/**
 * Connects when first used. Its connections keep the process running: a program ends by itself only after `close()`.
 *
 * @throws FsError EINVAL  no masters, or one that is no `host:port`.
 */
export async function connect(options: ClientOptions & { log?: Log }): Promise<CairnClient> {
  const { log = SILENT, ...rest } = options ?? {};
  if (!Array.isArray(rest.masters) || rest.masters.some((master) => typeof master !== 'string')) {
    throw new FsError(
      'INVALID_ARGUMENT',
      "the masters are a list of host:port: connect({ masters: ['127.0.0.1:9000'] })",
    );
  }
  for (const master of rest.masters) parseAddress(master);
  return new CairnClient(
    { clock: new RuntimeClock(), random: new RuntimeRandom(), network: new RuntimeNetwork(), log },
    rest,
  );
}
