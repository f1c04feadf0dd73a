import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import type { Disk, DiskFile, Seams } from '@cairnfs/base';
import type { SimHost } from '../host.ts';
import { Simulation } from '../simulation.ts';
import { SECTOR_BYTES, type UnsyncedFate } from './sim-file.ts';

test('disk: a lost power keeps what was synced, content and names alike, and nothing else', async () => {
  const { seams, crash, simulation } = await start();
  await simulation.run(async () => {
    const kept = await create(seams.disk, '/d/kept', [1, 2, 3]);
    await create(seams.disk, '/d/nameless', [1]);
    await kept.sync();
    await seams.disk.rename('/d/nameless', '/d/renamed');
    await seams.disk.syncDirectory('/d');
    await kept.write(0, [Uint8Array.of(9)]);
    await kept.write(3, [Uint8Array.of(9)]);
    await create(seams.disk, '/d/late', [1]);
    await seams.disk.remove('/d/renamed');
  });
  const disk = crash('lose').disk;
  deepEqual(await simulation.run(disk.list('/d')), ['kept', 'renamed']);
  deepEqual(await simulation.run(content(disk, '/d/kept')), [1, 2, 3]);
  deepEqual(await simulation.run(content(disk, '/d/renamed')), []);
});

test('disk: a killed process loses nothing that was written', async () => {
  const { seams, crash, simulation } = await start();
  await simulation.run(create(seams.disk, '/d/a', [1, 2]));
  deepEqual(await simulation.run(content(crash('keep').disk, '/d/a')), [1, 2]);
});

test('disk: a sync covers the writes that completed before it began, not later ones', async () => {
  const { seams, crash, simulation } = await start();
  await simulation.run(async () => {
    const file = await create(seams.disk, '/d/a', [1]);
    await seams.disk.syncDirectory('/d');
    const syncing = file.sync();
    await file.write(0, [Uint8Array.of(2)]);
    await syncing;
  });
  deepEqual(await simulation.run(content(crash('lose').disk, '/d/a')), [1]);
});

test('disk: at random, each unsynced write stays, goes or is torn between sectors; synced bytes never change', async () => {
  const fates = new Set<string>();
  for (let seed = 0; seed < 60; seed++) {
    const { seams, crash, simulation } = await start(seed);
    await simulation.run(async () => {
      const file = await create(seams.disk, '/d/a', new Array(SECTOR_BYTES).fill(1));
      await file.sync();
      await seams.disk.syncDirectory('/d');
      await file.write(SECTOR_BYTES, [new Uint8Array(4 * SECTOR_BYTES).fill(2)]);
    });
    const bytes = await simulation.run(content(crash('random').disk, '/d/a'));
    ok(bytes.slice(0, SECTOR_BYTES).every((byte) => byte === 1));
    const sectors = Array.from({ length: (bytes.length - SECTOR_BYTES) / SECTOR_BYTES }, (_, index) => {
      const sector = bytes.slice((index + 1) * SECTOR_BYTES, (index + 2) * SECTOR_BYTES);
      ok(sector.every((byte) => byte === sector[0]));
      return sector[0];
    });
    fates.add(sectors.length === 0 ? 'gone' : sectors.every((byte) => byte === 2) ? 'kept' : 'torn');
  }
  deepEqual([...fates].sort(), ['gone', 'kept', 'torn']);
});

test('disk: torn, each write of several sectors leaves some of them', async () => {
  let writtenCount = 0;
  for (let seed = 0; seed < 20; seed++) {
    const { seams, crash, simulation } = await start(seed);
    await simulation.run(async () => {
      const file = await create(seams.disk, '/d/a', new Array(8 * SECTOR_BYTES).fill(1));
      await file.sync();
      await seams.disk.syncDirectory('/d');
      await file.write(0, [new Uint8Array(8 * SECTOR_BYTES).fill(2)]);
    });
    const bytes = await simulation.run(content(crash('torn').disk, '/d/a'));
    equal(bytes.length, 8 * SECTOR_BYTES);
    const written = bytes.filter((byte, index) => index % SECTOR_BYTES === 0 && byte === 2).length;
    if (written > 0 && written < 8) writtenCount += 1;
  }
  ok(writtenCount >= 18, `${writtenCount} of 20 are torn`);
});

test('disk: at random, a write may stay while the truncation before it goes', async () => {
  const outcomes = new Set<string>();
  for (let seed = 0; seed < 60; seed++) {
    const { seams, crash, simulation } = await start(seed);
    await simulation.run(async () => {
      const file = await create(seams.disk, '/d/a', [1, 1, 1]);
      await file.sync();
      await seams.disk.syncDirectory('/d');
      await file.truncate(0);
      await file.write(0, [Uint8Array.of(2)]);
    });
    outcomes.add((await simulation.run(content(crash('random').disk, '/d/a'))).join());
  }
  ok(outcomes.has('2,1,1') && outcomes.has('1,1,1') && outcomes.has('2') && outcomes.has(''));
});

test('disk: after a failed sync, later syncs succeed and save nothing', async () => {
  const { seams, host, crash, simulation } = await start();
  await simulation.run(async () => {
    const file = await create(seams.disk, '/d/a', [1]);
    await seams.disk.syncDirectory('/d');
    host.disk.break({ prefix: '/d', operation: 'sync', code: 'EIO' });
    await rejects(file.sync(), { code: 'EIO' });
    host.disk.repair();
    await file.sync();
  });
  deepEqual(await simulation.run(content(crash('lose').disk, '/d/a')), []);
});

test('disk: faults hit their paths and operations only', async () => {
  const { seams, host, simulation } = await start();
  await simulation.run(async () => {
    const file = await create(seams.disk, '/d/a', [1]);
    host.disk.break({ prefix: '/d/a', operation: 'read', code: 'EIO' });
    await rejects(file.read(0, new Uint8Array(1)), { code: 'EIO' });
    await file.write(0, [Uint8Array.of(2)]);
    host.disk.repair('/d/a');
    equal(await file.read(0, new Uint8Array(1)), 1);
    host.disk.flipBit('/d/a', 0);
    const target = new Uint8Array(1);
    await file.read(0, target);
    equal(target[0], 3);
  });
});

test('disk: a full one refuses growth, and takes it again after a removal', async () => {
  const { seams, host, simulation } = await start();
  host.disk.setCapacity('/d', 100);
  await simulation.run(async () => {
    const file = await create(seams.disk, '/d/a', new Array(80).fill(1));
    const other = await create(seams.disk, '/d/b', [1]);
    await rejects(other.write(0, [new Uint8Array(21)]), { code: 'ENOSPC' });
    await file.write(0, [new Uint8Array(80)]);
    deepEqual(await seams.disk.space('/d/a'), { totalBytes: 100, freeBytes: 19 });
    await seams.disk.remove('/d/a');
    await other.write(0, [new Uint8Array(100)]);
  });
});

test('state store: a lost power falls back to the last flush, a killed process to the last write', async () => {
  for (const [fate, expected] of [
    ['lose', 1],
    ['keep', 2],
  ] as const) {
    const { seams, crash, simulation } = await start();
    await simulation.run(async () => {
      const store = await seams.openStateStore('/d/state');
      await store.write([{ key: 'a', value: Uint8Array.of(1) }]);
      await store.flushed();
      await store.write([
        { key: 'a', value: Uint8Array.of(2) },
        { key: 'b', value: Uint8Array.of(2) },
      ]);
    });
    const store = await simulation.run(crash(fate).openStateStore('/d/state'));
    equal(store.get('a')?.[0], expected);
    equal(store.range('a', 'z', 10).length, expected);
  }
});

test('state store: a crash at random never tears a batch', async () => {
  const outcomes = new Set<number>();
  for (let seed = 0; seed < 40; seed++) {
    const { seams, crash, simulation } = await start(seed);
    const store = await simulation.run(seams.openStateStore('/d/state'));
    for (const value of [1, 2, 3]) {
      await simulation.run(store.write(['a', 'b'].map((key) => ({ key, value: Uint8Array.of(value) }))));
    }
    const after = await simulation.run(crash('random').openStateStore('/d/state'));
    const value = after.get('a')?.[0] ?? 0;
    equal(after.get('b')?.[0] ?? 0, value);
    outcomes.add(value);
  }
  deepEqual([...outcomes].sort(), [0, 1, 2, 3]);
});

test('state store: a value is lent until the next call only', async () => {
  const { seams, simulation } = await start();
  const store = await simulation.run(seams.openStateStore('/d/state'));
  const written = store.write([
    { key: 'a', value: Uint8Array.of(1) },
    { key: 'b', value: Uint8Array.of(2) },
  ]);
  equal(store.get('a'), undefined);
  await simulation.run(written);
  const lent = store.get('a');
  store.get('b');
  equal(lent?.[0], 2);
});

interface Started {
  simulation: Simulation;
  host: SimHost;
  seams: Seams;
  /** Crashes the host and returns the seams of its next process. */
  crash(unsynced: UnsyncedFate): Seams;
}

async function start(seed = 1): Promise<Started> {
  const simulation = new Simulation({ seed });
  const host = simulation.host('a');
  const seams = host.start();
  await simulation.run(seams.disk.makeDirectory('/d'));
  const crash = (unsynced: UnsyncedFate) => {
    host.crash({ unsynced });
    return host.start();
  };
  return { simulation, host, seams, crash };
}

async function create(disk: Disk, path: string, bytes: number[]): Promise<DiskFile> {
  const file = await disk.open(path, 'create');
  await file.write(0, [Uint8Array.from(bytes)]);
  return file;
}

async function content(disk: Disk, path: string): Promise<number[]> {
  const file = await disk.open(path, 'read');
  const bytes = new Uint8Array(await file.size());
  await file.read(0, bytes);
  return [...bytes];
}
