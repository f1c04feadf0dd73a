import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { isFsError, ProcessCalendar, type Seams } from '@cairnfs/base';
import { BufferPool, CHUNK_BYTES_MAX } from '@cairnfs/protocol';
import { Simulation } from '@cairnfs/sim';
import { DISK_TIMEOUT_MS } from '@cairnfs/storage';
import type { DiskStore } from './disk-store.ts';
import { type OpenedDisks, openDisks } from './open-disks.ts';
import { Replicas } from './replicas.ts';
import { takeStock } from './take-stock.ts';

const HANDLE = '0a1b2c3d-0000-4000-8000-000000000001';

/** A server's folders over restarts. */
class Folders {
  readonly simulation: Simulation;
  seams!: Seams;
  opened: OpenedDisks = { stores: [], lost: [], isWhole: false };

  constructor(seed: number) {
    this.simulation = new Simulation({ seed });
  }

  get disk() {
    return this.simulation.host('one').disk;
  }

  async start(...directories: string[]): Promise<OpenedDisks> {
    const host = this.simulation.host('one');
    if (host.isRunning) host.crash({ unsynced: 'lose' });
    this.seams = host.start();
    const { seams } = this;
    this.opened = { stores: [], lost: [], isWhole: false };
    this.opened = await this.simulation.run(() => openDisks(seams, directories));
    return this.opened;
  }

  /** What is under `from` is under `to` now, and `from` is an empty folder. */
  mount(from: string, to: string): void {
    for (const path of [...this.disk.files.keys()]) {
      if (!path.startsWith(`${from}/`)) continue;
      this.disk.rename(path, `${to}${path.slice(from.length)}`);
    }
    for (const path of [...this.disk.directories]) {
      if (path.startsWith(`${from}/`)) this.disk.directories.delete(path);
      if (path === from || path.startsWith(`${from}/`)) this.disk.directories.add(`${to}${path.slice(from.length)}`);
    }
    for (const directory of [...this.disk.directories]) this.disk.syncDirectory(directory);
  }

  async mark(directory: string): Promise<void> {
    const { disk } = this.seams;
    await this.simulation.run(async () => {
      await (await disk.open(`${directory}/new-disk`, 'create')).close();
      await disk.syncDirectory(directory);
    });
  }

  idOf(directory: string): string | undefined {
    return this.opened.stores.find((store) => store.directory === directory)?.identity.diskId;
  }

  get served(): string[] {
    return this.opened.stores.map(({ directory }) => directory);
  }
}

const listOf = ({ identity }: DiskStore) => identity.disks.map(({ path }) => path);

test('disks: each one lists all of the server, and a new one is added to the lists of all', async () => {
  const folders = new Folders(1);
  await folders.start('a', 'b');
  await folders.start('a', 'b', 'c');
  const { stores } = await folders.start('a', 'b', 'c');
  deepEqual(stores.map(listOf), [
    ['a', 'b', 'c'],
    ['a', 'b', 'c'],
    ['a', 'b', 'c'],
  ]);
  equal(new Set(stores.map(({ identity }) => identity.serverUuid)).size, 1);
});

test('disks: a folder that is empty because its disk is not mounted is left out, and untouched', async () => {
  const folders = new Folders(2);
  await folders.start('a', 'b');
  const id = folders.idOf('b');
  folders.mount('b', 'elsewhere');
  const { lost } = await folders.start('a', 'b');
  deepEqual(folders.served, ['a']);
  equal(lost[0]!.diskId, id);
  match(
    lost[0]!.failure.message,
    /the folder b held disk .* before and is empty now: mount it again, or create b\/new-disk/,
  );
  deepEqual(
    [...folders.disk.files.keys()].filter((path) => path.startsWith('b/')),
    [],
  );
  folders.mount('elsewhere', 'b');
  await folders.start('a', 'b');
  equal(folders.idOf('b'), id);
});

test('disks: a folder with the marker new-disk becomes a new disk, and the marker goes', async () => {
  const folders = new Folders(3);
  await folders.start('a', 'b');
  const id = folders.idOf('b');
  folders.mount('b', 'elsewhere');
  await folders.mark('b');
  await folders.start('a', 'b');
  deepEqual(folders.served, ['a', 'b']);
  equal(folders.idOf('b') === id, false);
  equal(folders.disk.files.has('b/new-disk'), false);
  const next = folders.idOf('b');
  await folders.start('a', 'b');
  equal(folders.idOf('b'), next);
});

test('disks: the marker is enough for a new disk that a crash kept from the lists of the others', async () => {
  for (let afterMs = 1; afterMs < 80; afterMs += 1) {
    const folders = new Folders(4);
    await folders.start('a', 'b');
    folders.mount('b', 'elsewhere');
    await folders.mark('b');
    const host = folders.simulation.host('one');
    host.crash({ unsynced: 'lose' });
    const starting = openDisks(host.start(), ['a', 'b']).catch(() => {});
    await folders.simulation.run(() => folders.simulation.clock.sleep(afterMs));
    void starting;
    const { isWhole } = await folders.start('a', 'b');
    deepEqual(folders.served, ['a', 'b']);
    equal(isWhole, false, `${afterMs} ms`);
  }
});

test('disks: a server is whole while all that it ever had are in service, and new ones take nothing from that', async () => {
  const folders = new Folders(13);
  const isWhole = async (...directories: string[]) => (await folders.start(...directories)).isWhole;
  equal(await isWhole('a', 'b'), true);
  equal(await isWhole('a', 'b', 'c'), true);
  equal(await isWhole('a', 'b'), false, 'one is not configured');
  folders.mount('c', 'elsewhere');
  equal(await isWhole('a', 'b', 'c'), false, 'one is not mounted');
  folders.mount('elsewhere', 'c');
  equal(await isWhole('a', 'b', 'c'), true);
});

test('disks: a server that gave up a disk for a new one is never whole again', async () => {
  const folders = new Folders(14);
  await folders.start('a', 'b');
  folders.mount('b', 'elsewhere');
  await folders.mark('b');
  equal((await folders.start('a', 'b')).isWhole, false);
  equal((await folders.start('a', 'b')).isWhole, false);
  // Nor does the new disk say otherwise, once the others are gone too.
  folders.mount('a', 'gone');
  await folders.mark('a');
  equal((await folders.start('a', 'b')).isWhole, false);
});

test('disks: a crash at its first start does not keep a server from being whole', async () => {
  for (let afterMs = 1; afterMs < 80; afterMs += 1) {
    const folders = new Folders(15);
    const host = folders.simulation.host('one');
    const starting = openDisks(host.start(), ['a', 'b']).catch(() => {});
    await folders.simulation.run(() => folders.simulation.clock.sleep(afterMs));
    void starting;
    equal((await folders.start('a', 'b')).isWhole, true, `${afterMs} ms`);
  }
});

test('disks: one begun beside others that are lost before they know of it says nothing of what they held', async () => {
  let begunCount = 0;
  for (let afterMs = 1; afterMs < 80; afterMs += 1) {
    const folders = new Folders(16);
    await folders.start('a');
    const host = folders.simulation.host('one');
    host.crash({ unsynced: 'lose' });
    const starting = openDisks(host.start(), ['a', 'b']).catch(() => {});
    await folders.simulation.run(() => folders.simulation.clock.sleep(afterMs));
    void starting;
    host.crash({ unsynced: 'lose' });
    const hasBegun = folders.disk.files.has('b/identity');
    folders.mount('a', 'gone');
    const { isWhole } = await folders.start('b');
    if (hasBegun) equal(isWhole, false, `${afterMs} ms`);
    begunCount += hasBegun ? 1 : 0;
  }
  equal(begunCount > 0, true);
});

test('disks: a folder that holds another disk than before is left out', async () => {
  const folders = new Folders(5);
  await folders.start('foreign');
  folders.mount('foreign', 'kept');
  await folders.start('a', 'b');
  folders.mount('b', 'elsewhere');
  folders.mount('kept', 'b');
  const { lost } = await folders.start('a', 'b');
  deepEqual(folders.served, ['a']);
  match(lost[0]!.failure.message, /the folder b held disk .* before and holds a disk of another server now/);
});

test('disks: the old disk of a folder that has begun a new one is left out when it comes back', async () => {
  const folders = new Folders(6);
  await folders.start('a', 'b');
  folders.mount('b', 'old');
  await folders.mark('b');
  await folders.start('a', 'b');
  folders.mount('b', 'new');
  folders.mount('old', 'b');
  const { lost } = await folders.start('a', 'b');
  deepEqual(folders.served, ['a']);
  match(lost[0]!.failure.message, /held disk .* before and holds disk .* now/);
});

test('disks: two that have changed places are both served', async () => {
  const folders = new Folders(7);
  await folders.start('a', 'b', 'c');
  const [a, b] = [folders.idOf('a'), folders.idOf('b')];
  folders.mount('a', 'aside');
  folders.mount('b', 'a');
  const { lost } = await folders.start('a', 'b', 'c');
  equal(folders.idOf('a'), b);
  equal(lost[0]?.directory, 'b');
  folders.mount('aside', 'b');
  await folders.start('a', 'b', 'c');
  equal(folders.idOf('b'), a);
  deepEqual(folders.served, ['a', 'b', 'c']);
});

test('disks: folders of two servers are refused as a whole when nothing tells which one this is', async () => {
  const folders = new Folders(8);
  await folders.start('a');
  await folders.start('b');
  await rejects(folders.start('a', 'b'), (error) => isFsError(error, 'CLUSTER_MISMATCH'));
});

test('disks: one that cannot be read is left out; an empty folder beside it is not begun when no other can tell', async () => {
  const folders = new Folders(9);
  await folders.start('a', 'b');
  folders.disk.break({ prefix: 'a/', code: 'EIO' });
  const { lost } = await folders.start('a', 'b');
  deepEqual(folders.served, ['b']);
  equal(lost[0]?.directory, 'a');
  folders.mount('b', 'elsewhere');
  await rejects(folders.start('a', 'b'), /no disk of this server can be used: .*a.*b is empty/);
});

test('disks: one with a damaged journal, identity or index is left out alone; the last one refuses', async () => {
  const damages: Record<string, (folders: Folders) => void> = {
    journal: ({ disk }) => {
      const segments = [...disk.files.keys()].filter((path) => path.startsWith('a/journal/segment'));
      disk.flipBit(segments[0]!, 30 * 8);
    },
    identity: ({ disk }) => disk.flipBit('a/identity', 40),
    format: ({ disk }) => disk.flipBit('a/FORMAT', 40),
    index: ({ disk }) => disk.break({ prefix: 'a/state', code: 'EIO' }),
  };
  for (const [name, damage] of Object.entries(damages)) {
    const folders = new Folders(10);
    const { stores } = await folders.start('a', 'b');
    await folders.simulation.run(() => stores[0]!.journal(HANDLE, { $case: 'created', value: { members: [1] } }));
    damage(folders);
    const { lost } = await folders.start('a', 'b');
    deepEqual(folders.served, ['b'], name);
    equal(lost.length, 1, name);
    await rejects(folders.start('a'), (error) => isFsError(error, 'DAMAGED', 'DISK_FAILED'), name);
  }
});

test('disks: one that cannot be opened for no reason foreseen is left out alone, and the reason is told', async () => {
  const folders = new Folders(22);
  await folders.start('a', 'b');
  const host = folders.simulation.host('one');
  host.crash({ unsynced: 'lose' });
  const seams = host.start();
  const { openStateStore } = seams;
  const broken: Seams = {
    ...seams,
    openStateStore: (directory, options) => {
      if (directory === 'a/state') throw new RangeError('an offset beyond the end');
      return openStateStore(directory, options);
    },
  };
  const { stores, lost } = await folders.simulation.run(() => openDisks(broken, ['a', 'b']));
  const directories = [stores, lost].map((disks) => disks.map(({ directory }) => directory));
  deepEqual(directories, [['b'], ['a']]);
  match(lost[0]!.failure.message, /disk a cannot be opened \(an offset beyond the end\)/);
  await folders.simulation.run(() => stores[0]!.close());
  await rejects(
    folders.simulation.run(() => openDisks(broken, ['a'])),
    { kind: 'DISK_FAILED' },
  );
});

test('disks: a folder whose identity is gone beside its journal is not begun anew', async () => {
  const folders = new Folders(11);
  await folders.start('a');
  folders.disk.remove('a/identity');
  folders.disk.syncDirectory('a');
  await rejects(folders.start('a'), /no identity file/);
});

test('disks: one on which the list cannot be written is left out', async () => {
  const folders = new Folders(12);
  await folders.start('a', 'b');
  folders.disk.break({ prefix: 'a/identity.new', code: 'EIO' });
  const { lost } = await folders.start('a', 'b', 'c');
  deepEqual(folders.served, ['b', 'c']);
  equal(lost[0]?.directory, 'a');
});

test('disks: one that is full stays in service, and a new one waits until it has room to note it', async () => {
  const folders = new Folders(23);
  await folders.start('a', 'b');
  const told = () =>
    folders.opened.stores.map((store) => [store.directory, store.identity.disksRevision, ...listOf(store)]);
  const before = told();
  folders.disk.break({ prefix: 'a/identity.new', code: 'ENOSPC' });
  for (const marked of [[], ['c']]) {
    for (const directory of marked) await folders.mark(directory);
    const { lost, isWhole } = await folders.start('a', 'b', 'c');
    deepEqual([told(), isWhole], [before, false]);
    equal(lost[0]?.directory, 'c');
    match(
      lost[0].failure.message,
      /disk c is not taken into service, for a has no room to note it .*: free some there/,
    );
  }
  await folders.start('a', 'b');
  deepEqual(folders.served, ['a', 'b']);
  folders.disk.repair();
  await folders.start('a', 'b', 'c');
  deepEqual(folders.opened.stores.map(listOf), Array(3).fill(['a', 'b', 'c']));
  equal(folders.disk.files.has('c/new-disk'), false);
});

test('disks: one that is full and was away when a disk was added is left out, for it does not know of that', async () => {
  const folders = new Folders(24);
  await folders.start('a', 'b');
  folders.mount('a', 'away');
  await folders.start('a', 'b', 'c');
  folders.mount('away', 'a');
  folders.disk.break({ prefix: 'a/identity.new', code: 'ENOSPC' });
  await folders.start('a', 'b', 'c');
  deepEqual(folders.served, ['b', 'c']);
});

test('disks: a marker that a full disk does not let go of goes at a later start', async () => {
  const folders = new Folders(25);
  await folders.start('a', 'b');
  folders.mount('b', 'elsewhere');
  await folders.mark('b');
  const { disk, simulation } = folders;
  const host = simulation.host('one');
  host.crash({ unsynced: 'lose' });
  const seams = host.start();
  const { lost } = await simulation.run(async () => {
    const opening = openDisks(seams, ['a', 'b']);
    while (disk.locks.get('b/lock')?.alive !== true) await simulation.clock.sleep(0.1);
    disk.break({ prefix: 'b/new-disk', code: 'ENOSPC' });
    return opening;
  });
  deepEqual([lost, disk.files.has('b/new-disk')], [[], true]);
  disk.repair();
  await folders.start('a', 'b');
  deepEqual([folders.served, disk.files.has('b/new-disk')], [['a', 'b'], false]);
});

for (const path of ['a/state', 'a/identity.new']) {
  test(`disks: one that fails at ${path} and takes no changes then, as its lock file's removal, is left out alone`, async () => {
    const folders = new Folders(21);
    await folders.start('a', 'b');
    const { disk, simulation } = folders;
    const host = simulation.host('one');
    host.crash({ unsynced: 'lose' });
    const seams = host.start();
    disk.break({ prefix: path, code: 'EIO' });
    const { stores, lost } = await simulation.run(async () => {
      const opening = openDisks(seams, ['a', 'b', 'c']);
      while (!disk.locks.get('a/lock')!.alive) await simulation.clock.sleep(0.1);
      disk.break({ prefix: 'a/lock', code: 'EROFS' });
      return opening;
    });
    const directories = [stores, lost].map((disks) => disks.map(({ directory }) => directory));
    deepEqual(directories, [['b', 'c'], ['a']]);
    match(lost[0]!.failure.message, /EIO/); // why it failed, and not what came of that
    equal(disk.locks.get('a/lock')!.alive, true);
  });
}

test('disks: the capacity is that of each, however many there are', async () => {
  const folders = new Folders(20);
  const { stores } = await folders.start('a', 'b');
  const { clock, log } = folders.seams;
  const replicas = new Replicas({
    ...{ clock, log, stores, pool: new BufferPool(), chunkBytes: () => CHUNK_BYTES_MAX },
    ...{ cachedMax: 16, reserveBytes: 0, capacityBytes: 1_000, report: () => {}, diskFailed: () => {} },
  });
  replicas.stored(stores[0]!, 300);
  deepEqual(
    stores.map((store) => replicas.freeBytes(store)),
    [700, 1_000],
  );
});

test('disks: one that does not answer at the start is left out, and when all do not the server says so', async () => {
  const folders = new Folders(12);
  await folders.start('a', 'b');
  const endHang = folders.disk.hang('b');
  const { lost } = await folders.start('a', 'b');
  deepEqual(folders.served, ['a']);
  match(lost[0]!.failure.message, /disk b cannot be opened \(b does not answer since 60 s\)/);
  folders.disk.hang('a/journal');
  await rejects(folders.start('a', 'b'), { kind: 'DISK_FAILED', message: /a does not answer since 60 s.*b does not/ });
  endHang();
  folders.disk.repair();
  await folders.start('a', 'b');
  deepEqual(folders.served, ['a', 'b']);
});

test('disks: all that hang at one step of the start delay it by the time of one, in every step', async () => {
  for (const path of ['', '/journal', '/identity.new', '/chunks/00']) {
    const folders = new Folders(17);
    await folders.start('a', 'b', 'c');
    for (const directory of ['a', 'b']) folders.disk.hang(`${directory}${path}`);
    const { simulation } = folders;
    const beganMs = simulation.nowMs;
    // A fourth folder, so that the lists are written too.
    const { stores } = await folders.start('a', 'b', 'c', 'd');
    const { clock, log } = folders.seams;
    const calendar = new ProcessCalendar(clock);
    await simulation.run(() => takeStock({ clock, calendar, log, stores, found: () => {}, stayed: () => {} }));
    const working = stores.filter(({ failure }) => failure === undefined);
    deepEqual(
      working.map(({ directory }) => directory),
      ['c', 'd'],
    );
    const tookMs = simulation.nowMs - beganMs;
    ok(tookMs > DISK_TIMEOUT_MS && tookMs < 1.1 * DISK_TIMEOUT_MS, `${path}: ${tookMs} ms`);
  }
});

test('disks: they open side by side in the same order in every run of one seed', async () => {
  const run = async (): Promise<string> => {
    const folders = new Folders(18);
    await folders.start('a', 'b', 'c', 'd');
    folders.disk.hang('b');
    const { lost, stores } = await folders.start('a', 'b', 'c', 'd');
    deepEqual([folders.served, lost.map(({ directory }) => directory)], [['a', 'c', 'd'], ['b']]);
    const ids = stores.map(({ identity }) => identity.diskId).join();
    return `${folders.simulation.trace.hash} ${folders.simulation.eventCount} ${ids}`;
  };
  equal(await run(), await run());
});

test('disks: when one is in use by another process, none of the others stays open', async () => {
  const folders = new Folders(19);
  await folders.start('a', 'b', 'c');
  const { disk } = folders.seams;
  await folders.simulation.run(async () => {
    await Promise.all(folders.opened.stores.map((store) => store.close()));
    const lock = await disk.lock('b/lock');
    await rejects(openDisks(folders.seams, ['a', 'b', 'c']), { code: 'EBUSY' });
    await lock.release();
    const { stores } = await openDisks(folders.seams, ['a', 'b', 'c']);
    equal(stores.length, 3);
  });
});
