/** Bits that flip in a chunk file at rest, as on a disk that wears out. */
import type { SimDisk } from '@cairnfs/sim';

const CHUNK_FOLDER = '/chunks/';

export interface RottenFile {
  readonly path: string;
  /** Of the chunk. */
  readonly handle: string;
  readonly sizeBytes: number;
}

/**
 * @param choice a ratio, which picks the file and where its bits flip.
 * @param spared handles of chunks whose files stay sound.
 * @returns undefined when there is no file but those.
 */
export function rot(
  disk: SimDisk,
  { choice, bits, spared }: { choice: number; bits: number; spared: ReadonlySet<string> },
): RottenFile | undefined {
  const files = [...disk.files].filter(
    ([path, { sizeBytes }]) => path.includes(CHUNK_FOLDER) && sizeBytes > 0 && !spared.has(handleOf(path)),
  );
  if (files.length === 0) return undefined;
  const [path, { sizeBytes }] = files[Math.floor(choice * files.length)]!;
  for (let bit = 0; bit < bits; bit++) {
    const ratio = (choice * 7919 * (bit + 1)) % 1;
    disk.flipBit(path, Math.floor(ratio * sizeBytes * 8));
  }
  return { path, handle: handleOf(path), sizeBytes };
}

function handleOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
