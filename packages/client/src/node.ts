/** The SDK on Node: real time, randomness and sockets, Node's streams, local files. */
import type { Readable, Writable } from 'node:stream';
import type { Log } from '@cairnfs/base';
import { RuntimeClock, RuntimeNetwork, RuntimeRandom } from '@cairnfs/runtime';
import { CairnClient as PortableClient } from './client.ts';
import { downloadTree, type TransferOptions, type TransferResult, uploadTree } from './local/node-transfer.ts';
import type { CallOptions, ClientOptions } from './options.ts';
import { readableOf, writableTo } from './streams.ts';
import type { UploadOptions } from './write/upload.ts';
import { iterableSource } from './write/upload-source.ts';

export type { TransferOptions, TransferProgress, TransferResult } from './local/node-transfer.ts';

/** What happens inside the SDK is told by its errors; a program that wants to follow it hands in a log. */
const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => SILENT };

export class CairnClient extends PortableClient {
  /** Bytes `start` to `end`, both inclusive, as in `node:fs`. */
  createReadStream(path: string, options: CallOptions & { start?: number; end?: number } = {}): Readable {
    return readableOf(this.readPieces(path, options));
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

/** Connects when first used; `close` ends the connections. */
export async function connect(options: ClientOptions & { log?: Log }): Promise<CairnClient> {
  const { log = SILENT, ...rest } = options;
  return new CairnClient(
    { clock: new RuntimeClock(), random: new RuntimeRandom(), network: new RuntimeNetwork(), log },
    rest,
  );
}
