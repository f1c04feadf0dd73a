/**
 * The replicas of an inventory that need no word but their version: present, with nothing pending. Nearly all are so, and
 * they travel as bare bytes, which a master compares with its keys without making an object of each (control.proto).
 */
import { bytesToUuid, FsError, type Key } from '@cairnfs/base';
import { ReplicaCondition, ReplicaReport, type ReportInventoryRequest } from './gen/cairn/v1/control.ts';

const HANDLE_BYTES = 16;

type PackedReplicas = Pick<ReportInventoryRequest, 'replicas' | 'plainHandles' | 'plainVersions'>;

/** @param reports ascending by handle. */
export function packReplicas(reports: readonly ReplicaReport[]): PackedReplicas {
  const plain = reports.filter(isPlain);
  const plainHandles = Buffer.alloc(plain.length * HANDLE_BYTES);
  for (const [index, { handle }] of plain.entries()) {
    plainHandles.write(handle.replaceAll('-', ''), index * HANDLE_BYTES, 'hex');
  }
  const replicas = plain.length === reports.length ? [] : reports.filter((report) => !isPlain(report));
  return { replicas, plainHandles, plainVersions: plain.map(({ version }) => version) };
}

function isPlain({ condition, pendingVersion, removed, message }: ReplicaReport): boolean {
  const isPresent = condition === ReplicaCondition.REPLICA_CONDITION_PRESENT;
  return isPresent && pendingVersion === 0 && !removed && message === '';
}

export class PlainReplicas {
  readonly count: number;
  readonly #handles: Uint8Array;
  readonly #versions: readonly number[];

  /** @throws FsError INVALID_ARGUMENT  handles and versions do not belong together, or are not in order. */
  constructor({ plainHandles, plainVersions }: Pick<ReportInventoryRequest, 'plainHandles' | 'plainVersions'>) {
    this.count = plainVersions.length;
    this.#handles = plainHandles;
    this.#versions = plainVersions;
    if (plainHandles.length !== this.count * HANDLE_BYTES) {
      const message = `an inventory part has ${plainHandles.length} bytes of handles for ${this.count} versions: 16 for each are wanted`;
      throw new FsError('INVALID_ARGUMENT', message);
    }
    for (let index = 1; index < this.count; index += 1) {
      if (this.#isAbove(index - 1, index)) continue;
      const message = `an inventory goes in order of handle: ${this.handle(index)} after ${this.handle(index - 1)}`;
      throw new FsError('INVALID_ARGUMENT', message);
    }
  }

  handle(index: number): string {
    return bytesToUuid(this.#handles.subarray(index * HANDLE_BYTES, (index + 1) * HANDLE_BYTES));
  }

  version(index: number): number {
    return this.#versions[index]!;
  }

  /** Spelled out. Its length is not known. */
  report(index: number): ReplicaReport {
    const condition = ReplicaCondition.REPLICA_CONDITION_PRESENT;
    return ReplicaReport.fromPartial({ handle: this.handle(index), version: this.version(index), condition });
  }

  /** Below 0: the handle comes before the one whose 16 bytes stand in `key` from `at` on; 0: it is the same. */
  compare(index: number, key: Key, at: number): number {
    const from = index * HANDLE_BYTES;
    for (let offset = 0; offset < HANDLE_BYTES; offset += 1) {
      const difference = this.#handles[from + offset]! - key.charCodeAt(at + offset);
      if (difference !== 0) return difference;
    }
    return 0;
  }

  #isAbove(lower: number, upper: number): boolean {
    for (let offset = 0; offset < HANDLE_BYTES; offset += 1) {
      const difference = this.#handles[upper * HANDLE_BYTES + offset]! - this.#handles[lower * HANDLE_BYTES + offset]!;
      if (difference !== 0) return difference > 0;
    }
    return false;
  }
}
