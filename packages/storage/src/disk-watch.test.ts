import { deepEqual, equal, match, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import type { Seams } from '@cairnfs/base';
import { Simulation } from '@cairnfs/sim';
import { type OnDevice, onDevice } from './device-seams.ts';
import { DiskWatch } from './disk-watch.ts';
import { openLedger } from './ledger.ts';
import { DISK_PROBE_TICKS, DISK_TICK_MS } from './limits.ts';

const TIMEOUT_MS = 20_000;
const FORMAT = { name: 'test', version: 1 } as const;

class Watched {
  readonly simulation: Simulation;
  readonly seams: OnDevice<Seams>;
  readonly watch: DiskWatch;
  readonly errors: Error[] = [];

  constructor(seed: number) {
    this.simulation = new Simulation({ seed });
    this.seams = onDevice(this.host.start());
    const { clock, disk: device } = this.seams;
    this.watch = new DiskWatch({ clock, device, directory: 'disk', timeoutMs: TIMEOUT_MS });
    this.watch.onFailure((error) => this.errors.push(error));
  }

  get host() {
    return this.simulation.host('server');
  }

  readonly run = <T>(work: () => Promise<T>): Promise<T> => this.simulation.run(work);
  readonly runFor = (durationMs: number): Promise<void> => this.simulation.runFor(durationMs);
}

test('watch: a disk is given up when an operation of it has had no answer for the time allowed, and not before', async () => {
  const { errors, host, run, runFor, seams } = new Watched(1);
  await run(() => seams.disk.makeDirectory('disk'));
  const file = await run(() => seams.disk.open('disk/a', 'create'));
  host.disk.hang('disk');
  const outcome = rejects(file.sync(), { code: 'ETIMEDOUT', path: 'disk' });
  await runFor(TIMEOUT_MS - DISK_TICK_MS);
  equal(errors.length, 0);
  await runFor(3 * DISK_TICK_MS);
  await outcome;
  equal(errors.length, 1);
  match(errors[0]!.message, /^disk does not answer since 20 s$/);
  await rejects(file.read(0, new Uint8Array(1)), { code: 'ETIMEDOUT' });
  await file.close();
});

test('watch: a disk at rest, and one that takes its time for each of many operations, stay', async () => {
  const { errors, host, run, runFor, seams, watch } = new Watched(2);
  await run(() => seams.disk.makeDirectory('disk'));
  const file = await run(() => seams.disk.open('disk/a', 'create'));
  await runFor(10 * TIMEOUT_MS);
  host.disk.timing.syncMs = [TIMEOUT_MS / 2, TIMEOUT_MS - 2 * DISK_TICK_MS];
  for (let count = 0; count < 10; count++) await run(() => Promise.all([file.sync(), file.sync()]));
  deepEqual(errors, []);
  watch.end();
});

test('watch: the time in which the process itself stood still does not count', async () => {
  const { errors, host, run, runFor, seams, watch } = new Watched(3);
  await run(() => seams.disk.makeDirectory('disk'));
  const file = await run(() => seams.disk.open('disk/a', 'create'));
  host.disk.timing.syncMs = [TIMEOUT_MS / 2, TIMEOUT_MS / 2];
  const synced = file.sync();
  host.stall(100 * TIMEOUT_MS);
  await runFor(100 * TIMEOUT_MS + DISK_TICK_MS);
  await synced;
  // Nor does it when the disk answers only after the pause.
  host.disk.timing.syncMs = [10 * TIMEOUT_MS, 10 * TIMEOUT_MS];
  const late = file.sync();
  await runFor(DISK_TICK_MS);
  host.stall(10 * TIMEOUT_MS);
  await run(() => late);
  deepEqual(errors, []);
  watch.end();
});

test('watch: a disk that nobody uses is noticed as well', async () => {
  const { errors, host, run, runFor, seams } = new Watched(6);
  await run(() => seams.disk.makeDirectory('disk'));
  host.disk.hang('disk');
  await runFor((DISK_PROBE_TICKS + 2) * DISK_TICK_MS + TIMEOUT_MS);
  match(errors[0]!.message, /^disk does not answer since 20 s$/);
});

for (const place of ['disk', 'disk/state']) {
  test(`watch: who opens a ledger is told when ${place} does not answer`, async () => {
    const { host, run, seams } = new Watched(4);
    host.disk.hang(place);
    const opening = () => openLedger(seams, { directory: 'disk', format: FORMAT, apply: () => {} });
    await run(() => rejects(opening(), { code: 'ETIMEDOUT', message: /does not answer since 20 s/ }));
  });
}

for (const place of ['disk/journal', 'disk/state']) {
  test(`watch: a ledger fails when ${place} does not answer, and can be closed`, async () => {
    const { host, run, seams, watch } = new Watched(5);
    const ledger = await run(() => openLedger(seams, { directory: 'disk', format: FORMAT, apply: () => {} }));
    watch.onFailure((error) => ledger.fail(error));
    host.disk.hang(place);
    const sequence = ledger.append(new Uint8Array(100));
    const told = new Promise<string>((resolve) => {
      ledger.onDurable(
        sequence,
        () => resolve('durable'),
        ({ message }) => resolve(message),
      );
    });
    // What is folded has been made durable before.
    const expected = place === 'disk/journal' ? /does not answer since 20 s/ : /^durable$/;
    match(await run(() => told), expected);
    match((await run(() => ledger.failed)).message, /disk does not answer since 20 s/);
    await run(() => ledger.close());
  });
}
