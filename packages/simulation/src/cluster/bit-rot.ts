/** Bits that flip at rest, as on a disk that wears out: in a chunk file, or in what a chunkserver's index says of a chunk. */
import { keyToUuid } from '@cairnfs/base';
import type { SimDisk } from '@cairnfs/sim';

const CHUNK_FOLDER = '/chunks/';
/** Of a replica, by the kinds of their keys (docs/spec/chunk-format.md); the handle comes next. */
const REPLICA_KINDS: ReadonlySet<string> = new Set(['c', 'p', 'k', 'd', 's', 'x']);

export interface Rotten {
  readonly path: string;
  /** Of the chunk. */
  readonly handle: string;
  readonly sizeBytes: number;
}

interface Candidate extends Rotten {
  readonly flipBit: (bitIndex: number) => void;
}

/**
 * @param choice a ratio, which picks a file or an entry of the index, and where its bits flip.
 * @param spared handles of chunks whose copies stay sound.
 * @returns undefined when there are none but those.
 */
export function rot(
  disk: SimDisk,
  { choice, bits, spared }: { choice: number; bits: number; spared: ReadonlySet<string> },
): Rotten | undefined {
  const isRot = ({ handle, sizeBytes }: Rotten) => sizeBytes > 0 && !spared.has(handle);
  const files = chunkFiles(disk).filter(isRot);
  const entries = indexEntries(disk).filter(isRot);
  // There are many more entries than files.
  const [first, second] = Math.floor(choice * 1_000_000) % 2 === 0 ? [files, entries] : [entries, files];
  const candidates = first.length > 0 ? first : second;
  const candidate = candidates[Math.floor(choice * candidates.length)];
  if (candidate === undefined) return undefined;
  for (const bitIndex of bitsToFlip(candidate.sizeBytes, { choice, bits })) candidate.flipBit(bitIndex);
  const { path, handle, sizeBytes } = candidate;
  return { path, handle, sizeBytes };
}

/** Which bits of so many bytes are to flip: `bits` of them, spread by the choice. */
export function bitsToFlip(sizeBytes: number, { choice, bits }: { choice: number; bits: number }): number[] {
  return Array.from({ length: bits }, (_, bit) => Math.floor(((choice * 7919 * (bit + 1)) % 1) * sizeBytes * 8));
}

function chunkFiles(disk: SimDisk): Candidate[] {
  return [...disk.files]
    .filter(([path]) => path.includes(CHUNK_FOLDER))
    .map(([path, { sizeBytes }]) => {
      const handle = path.slice(path.lastIndexOf('/') + 1);
      return { path, handle, sizeBytes, flipBit: (bitIndex) => disk.flipBit(path, bitIndex) };
    });
}

function indexEntries(disk: SimDisk): Candidate[] {
  return [...disk.stores].flatMap(([directory, store]) =>
    store
      .sizes()
      .filter(({ key }) => REPLICA_KINDS.has(key[0]!))
      .map(({ key, sizeBytes }) => {
        const handle = keyToUuid(key, 1);
        const path = `${directory} ${key[0]} ${handle}`;
        return { path, handle, sizeBytes, flipBit: (bitIndex) => store.flipBit(key, bitIndex) };
      }),
  );
}
