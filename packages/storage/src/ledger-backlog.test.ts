/** The store takes nothing: what waits to be folded is bounded, and a full disk takes deletions and starts all the same. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFsError, MiB } from '@cairnfs/base';
import { CrashDisk } from './testing/crash-disk.ts';
import { openOn } from './testing/test-ledger.ts';
import type { Apply, JournalRoom, Ledger } from './types.ts';

const CHANGES = 100_000;
const VALUE = new Uint8Array(32 * MiB);
const STATE_FULL = { operation: 'write', path: /^state$/, code: 'ENOSPC' } as const;

/** A record makes a hundred thousand changes, or one of 32 MiB: so four of either reach the limit of common records. */
const apply: Apply = (transaction, record) => {
  if (record[0] === 1) transaction.put('large', VALUE);
  else for (let count = 0; count < CHANGES; count++) transaction.remove('small');
};

/** Appends until a record of the class is refused. @returns how many were taken. */
async function fill(ledger: Ledger, record: Uint8Array, room: JournalRoom): Promise<number> {
  for (let count = 0; ; count++) {
    try {
      await ledger.whenDurable(ledger.append(record, undefined, room));
    } catch (error) {
      assert.ok(isFsError(error, 'OVERLOADED'), String(error));
      return count;
    }
  }
}

for (const [what, record] of Object.entries({ changes: Uint8Array.of(0), bytes: Uint8Array.of(1) })) {
  test(`backlog: while the state takes no ${what}, records that free space go on when common ones are refused`, async () => {
    let disk = new CrashDisk();
    disk.fault = STATE_FULL;
    let ledger = await openOn(disk, undefined, { apply });
    const common = await fill(ledger, record, 'common');
    const reserve = await fill(ledger, record, 'reserve');
    assert.deepEqual([common, reserve], what === 'changes' ? [5, 4] : [4, 4]);

    // Every start begins with a record, whatever the one before it left.
    for (let start = 0; start < 2; start++) {
      disk = disk.crash(() => 0);
      disk.fault = STATE_FULL;
      ledger = await openOn(disk, undefined, { apply });
      assert.equal(await fill(ledger, record, 'common'), 0);
      assert.ok((await fill(ledger, record, 'reserve')) >= 4);
    }

    disk.fault = undefined;
    await ledger.checkpoint();
    await ledger.whenDurable(ledger.append(record));
    await ledger.close();
  });
}
