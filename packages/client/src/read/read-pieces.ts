/** A file's bytes in order, read ahead: while the caller works on one piece, the next ones are on their way. */
import type { Deadline } from '../call/deadline.ts';
import { naming } from '../errors.ts';
import { PIECE_BYTES, PIECES_AHEAD } from '../limits.ts';
import type { FileReader } from './file-reader.ts';
import type { LocatedFile } from './located-file.ts';

export interface ReadRange {
  readonly path: string;
  readonly start: number;
  /** Inclusive, as in `fs.createReadStream`. */
  readonly end: number;
  readonly deadline: () => Deadline;
}

export async function* readPieces(
  reader: FileReader,
  file: LocatedFile,
  { path, start, end, deadline }: ReadRange,
): AsyncGenerator<Uint8Array> {
  // The first look tells where everything is, so that the pieces behind it need not ask.
  const { size = 0 } = await naming('open', path, () =>
    file.layout(start, Math.max(1, end + 1 - start), deadline(), true),
  );
  let next = start;
  const ahead: { readonly length: number; readonly bytes: Promise<Uint8Array> }[] = [];
  const request = () => {
    // Behind the end as it was, one piece at a time: usually there is nothing.
    const isBehind = next >= size;
    if (isBehind && ahead.length > 0) return;
    // Up to that end no further, so that all of it is where the first look said.
    const length = Math.min(PIECE_BYTES, end + 1 - next, isBehind ? PIECE_BYTES : size - next);
    if (length <= 0) return;
    const offset = next;
    next += length;
    const bytes = naming('read', path, async () => {
      const buffer = new Uint8Array(length);
      const bytesRead = await reader.read(file, offset, buffer, deadline());
      return buffer.subarray(0, bytesRead);
    });
    // It is awaited in its turn; until then a failure must not count as unhandled.
    bytes.catch(() => undefined);
    ahead.push({ length, bytes });
  };
  for (let count = 0; count < PIECES_AHEAD; count += 1) request();
  for (let piece = ahead.shift(); piece !== undefined; piece = ahead.shift()) {
    const bytes = await piece.bytes;
    if (bytes.length === 0) return;
    request();
    yield bytes;
    if (bytes.length < piece.length) return;
  }
}
