/** What a file's content may be given as, in the manner of `fs.writeFile`. */
import { FsError } from '@cairnfs/base';
import { bufferSource, iterableSource, type UploadSource } from './upload-source.ts';

/** Text is stored in the encoding given, UTF-8 otherwise; typed arrays and `DataView`s as the bytes that they show. */
export type ContentPiece = string | ArrayBufferView;
/** Also what comes piece by piece: arrays, generators, streams. */
export type Content = ContentPiece | Iterable<ContentPiece> | AsyncIterable<ContentPiece>;

export function contentSource(content: Content, encoding: BufferEncoding = 'utf8'): UploadSource {
  return isPiece(content) ? bufferSource(bytesOf(content, encoding)) : iterableSource(pieces(content, encoding));
}

async function* pieces(
  content: Iterable<ContentPiece> | AsyncIterable<ContentPiece>,
  encoding: BufferEncoding,
): AsyncGenerator<Uint8Array> {
  for await (const piece of content) yield bytesOf(piece, encoding);
}

function isPiece(content: Content): content is ContentPiece {
  if (typeof content === 'string' || ArrayBuffer.isView(content)) return true;
  if (typeof content === 'object' && content !== null) {
    if (Symbol.iterator in content || Symbol.asyncIterator in content) return false;
  }
  throw notContent(content);
}

function bytesOf(piece: ContentPiece, encoding: BufferEncoding): Uint8Array {
  if (typeof piece === 'string') return Buffer.from(piece, encoding);
  if (piece instanceof Uint8Array) return piece;
  if (ArrayBuffer.isView(piece)) return new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength);
  throw notContent(piece);
}

function notContent(given: unknown): FsError {
  const what = given === null ? 'null' : typeof given;
  return new FsError(
    'INVALID_ARGUMENT',
    `the content is ${what}: give a string, a buffer, or an iterable or stream of those`,
  );
}
