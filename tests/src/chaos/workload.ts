/**
 * What the clients of a run work on. Every file and subtree is there from the start, but is worked on in one stretch of
 * time only, the generation it belongs to: so many operations on one object stay few enough to be judged.
 */

import type { SimRandom } from '@cairnfs/sim';
import { filePath, makeOperations, type PlannedCall, subtreePath } from '@cairnfs/simulation';

const GENERATION_MS = 20_000;
const FILES = 4;
const SUBTREES = 2;
/** Operations drawn at a time. */
const BATCH = 256;
const RECORD_BYTES = [1, 3000] as const;

export function generationsOf(durationMs: number): number {
  return Math.ceil(durationMs / GENERATION_MS);
}

export function pathsOf(durationMs: number): { files: string[]; logs: string[]; subtrees: string[] } {
  const generations = Array.from({ length: generationsOf(durationMs) }, (_, index) => index);
  const all = (count: number) => generations.flatMap((g) => Array.from({ length: count }, (_, i) => g * count + i));
  return {
    files: all(FILES).map(filePath),
    logs: generations.map((generation) => filePath(generation * FILES)),
    subtrees: all(SUBTREES).map(subtreePath),
  };
}

/** An endless sequence of calls. The first file of each generation is a log: records are appended, nothing else changes it. */
export class Workload {
  readonly #random: SimRandom;
  readonly #generations: number;
  #drawn: { call: PlannedCall; timeoutMs: number }[] = [];

  constructor(random: SimRandom, { durationMs }: { durationMs: number }) {
    this.#random = random;
    this.#generations = generationsOf(durationMs);
  }

  next(elapsedMs: number): { call: PlannedCall; timeoutMs: number } {
    if (this.#drawn.length === 0) this.#drawn = this.#draw();
    const { call, timeoutMs } = this.#drawn.pop()!;
    const generation = Math.min(this.#generations - 1, Math.floor(elapsedMs / GENERATION_MS));
    if (call.on === 'names') {
      return { timeoutMs, call: { ...call, subtree: generation * SUBTREES + call.subtree } };
    }
    const file = generation * FILES + call.file;
    const isForbidden = call.file === 0 && !['appendRecord', 'read', 'size'].includes(call.call.kind);
    if (!isForbidden) return { timeoutMs, call: { ...call, file } };
    const length = this.#random.between(...RECORD_BYTES);
    return { timeoutMs, call: { on: 'file', file, call: { kind: 'appendRecord', length } } };
  }

  #draw(): { call: PlannedCall; timeoutMs: number }[] {
    const shape = { chunkservers: 0, disksPerChunkserver: 0, clients: 1, files: FILES, subtrees: SUBTREES };
    return makeOperations(this.#random, shape, { count: BATCH, durationMs: 1 });
  }
}
