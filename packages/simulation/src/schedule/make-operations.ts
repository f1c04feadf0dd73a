/** Draws what the clients ask. Sizes and offsets lean towards the places where code goes wrong: ends of chunks and blocks. */
import type { SimRandom } from '@cairnfs/sim';
import { weighted } from './draw.ts';
import type { Profile } from './profiles.ts';
import {
  CHUNK_BYTES,
  type ClusterShape,
  fileCount,
  type PlannedCall,
  type PlannedFileCall,
  type PlannedNameCall,
  type PlannedOperation,
} from './schedule.ts';

/** The file that is only appended to, record by record. */
const LOG_FILE = 0;
const BLOCK_BYTES = 64 * 1024; // one checksum
/** A read of a whole file asks for so much; few are longer. */
const READ_BYTES_MAX = 4 * CHUNK_BYTES;
/** Small, so that there can be many. */
const STANDING_BYTES_MAX = 3000;
const SMALL_PUT_BYTES_MAX = 3000;
/** Writes may begin up to here; appends make files longer. */
const FILE_BYTES_USUAL = 3 * CHUNK_BYTES;
const NAMES = ['/a', '/b', '/c', '/d', '/d/a', '/d/b', '/e', '/e/a'] as const;
/** None is a folder, so that puts go through; enough that what became of most is still there at the end. */
const PUT_NAMES = Array.from({ length: 40 }, (_, index) => `/put${index}`);
/** Of a client's patience; the longer ones outlast most faults. */
const TIMEOUTS_MS = [3000, 10_000, 30_000] as const;

const KEPT_WRITES = 0.06;
/** Operations that come at once where nothing else is said. */
const STEADY = 3;
/** Of the operations on files, those on the standing ones. */
const ON_STANDING = 0.3;

/** As profiles have them. */
type Shares = Pick<Profile, 'puts' | 'onFiles' | 'truncates'>;

export function makeOperations(
  random: SimRandom,
  shape: ClusterShape,
  {
    count,
    durationMs,
    puts = 0,
    onFiles = 0.6,
    truncates = 0,
    bursts = STEADY,
  }: { count: number; durationMs: number; bursts?: number } & Partial<Shares>,
): PlannedOperation[] {
  const operations: PlannedOperation[] = [];
  for (let id = 1; id <= count; id++) {
    operations.push({
      id,
      client: random.between(0, shape.clients - 1),
      // Evenly over the time, in order of id, with bursts: so many come at once.
      atMs: Math.floor(((id - (id % bursts)) / count) * durationMs * 0.97),
      timeoutMs: random.pick(TIMEOUTS_MS),
      call: makeCall(random, shape, { puts, onFiles, truncates }),
    });
  }
  return operations;
}

function makeCall(random: SimRandom, shape: ClusterShape, { puts, onFiles, truncates }: Shares): PlannedCall {
  if (puts > 0 && random.chance(puts)) {
    const call = { kind: 'put', path: random.pick(PUT_NAMES), length: random.between(1, SMALL_PUT_BYTES_MAX) } as const;
    return { on: 'names', subtree: random.between(0, shape.subtrees - 1), call };
  }
  if (random.chance(onFiles)) {
    if (shape.load !== undefined && random.chance(ON_STANDING)) {
      const file = random.between(shape.files, fileCount(shape) - 1);
      return { on: 'file', file, call: makeStandingCall(random) };
    }
    const file = random.between(0, shape.files - 1);
    const makeOther = () => (shape.isKept ? makeKeptCall(random, truncates) : makeFileCall(random));
    return { on: 'file', file, call: file === LOG_FILE ? makeLogCall(random) : makeOther() };
  }
  return { on: 'names', subtree: random.between(0, shape.subtrees - 1), call: makeNameCall(random) };
}

function makeFileCall(random: SimRandom): PlannedFileCall {
  const kind = weighted(random, {
    write: 22,
    append: 8,
    appendRecord: 18,
    put: 7,
    truncate: 6,
    read: 30,
    size: 9,
  });
  switch (kind) {
    case 'write':
      return { kind, offset: drawOffset(random), length: drawLength(random) };
    case 'append':
    case 'appendRecord':
      return { kind, length: drawLength(random) };
    case 'put':
      return { kind, length: random.chance(0.2) ? 0 : drawLength(random) };
    case 'truncate':
      return { kind, length: random.chance(0.3) ? 0 : drawOffset(random) };
    case 'read':
      return random.chance(0.5)
        ? { kind, offset: 0, length: READ_BYTES_MAX }
        : { kind, offset: drawOffset(random), length: drawLength(random) };
    case 'size':
      return { kind };
  }
}

/** Of a file of one chunk: so few writes that it is closed before most of them, and reads that stay within it. */
function makeKeptCall(random: SimRandom, truncates: number): PlannedFileCall {
  const [offset, length] = [random.between(0, CHUNK_BYTES / 2), random.between(1, CHUNK_BYTES / 4)];
  if (truncates > 0 && random.chance(truncates)) return { kind: 'truncate', length: offset };
  return random.chance(truncates > 0 ? truncates : KEPT_WRITES)
    ? { kind: 'write', offset, length }
    : { kind: 'read', offset, length, isKept: true };
}

/** Of a small file of one closed chunk: it is opened, replaced or read. */
function makeStandingCall(random: SimRandom): PlannedFileCall {
  const kind = weighted(random, { write: 25, appendRecord: 15, put: 25, read: 35 });
  switch (kind) {
    case 'appendRecord':
    case 'put':
      return { kind, length: random.between(1, STANDING_BYTES_MAX) };
    case 'write':
      return { kind, offset: random.between(0, STANDING_BYTES_MAX), length: random.between(1, STANDING_BYTES_MAX) };
    case 'read':
      return { kind, offset: 0, length: READ_BYTES_MAX };
  }
}

function makeLogCall(random: SimRandom): PlannedFileCall {
  const kind = weighted(random, { appendRecord: 60, read: 30, size: 10 });
  switch (kind) {
    case 'appendRecord':
      return { kind, length: drawLength(random) };
    case 'read':
      return { kind, offset: random.chance(0.5) ? 0 : drawOffset(random), length: READ_BYTES_MAX };
    case 'size':
      return { kind };
  }
}

function makeNameCall(random: SimRandom): PlannedNameCall {
  const kind = weighted(random, { mkdir: 14, create: 14, put: 14, rename: 18, remove: 14, list: 12, stat: 8, read: 6 });
  switch (kind) {
    case 'mkdir':
      return { kind, path: random.chance(0.7) ? random.pick(['/d', '/e']) : random.pick(NAMES) };
    case 'rename':
      return { kind, from: random.pick(NAMES), to: random.pick(NAMES) };
    case 'put':
      return { kind, path: random.pick(NAMES), length: random.between(0, SMALL_PUT_BYTES_MAX) };
    case 'list':
      return { kind, path: random.pick(['', '', '/d', '/e']) };
    default:
      return { kind, path: random.pick(NAMES) };
  }
}

/** 1 byte or more: mostly small, some up to a block, few longer than a chunk. */
function drawLength(random: SimRandom): number {
  switch (weighted(random, { small: 60, middle: 25, block: 6, chunk: 6, large: 3 })) {
    case 'small':
      return random.between(1, 2000);
    case 'middle':
      return random.between(2000, 20_000);
    case 'block':
      return BLOCK_BYTES + random.between(-2, 2);
    case 'chunk':
      return CHUNK_BYTES + random.between(-2, 2);
    case 'large':
      return random.between(CHUNK_BYTES, 2 * CHUNK_BYTES + 1000);
  }
}

function drawOffset(random: SimRandom): number {
  switch (weighted(random, { start: 25, any: 25, boundary: 50 })) {
    case 'start':
      return random.between(0, 3000);
    case 'any':
      return random.between(0, FILE_BYTES_USUAL);
    case 'boundary': {
      const unit = random.chance(0.7) ? CHUNK_BYTES : BLOCK_BYTES;
      const at = unit * random.between(1, FILE_BYTES_USUAL / unit);
      return Math.max(0, at + random.between(-1500, 500));
    }
  }
}
