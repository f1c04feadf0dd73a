/** A frame of an upload that the disk takes its time to write, while the chunk is opened and changed. */
import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { crc32c } from '@cairnfs/base';
import { BLOCK_BYTES, ChunkserverDataMethods, ChunkserverPeerMethods, dataPart } from '@cairnfs/protocol';
import { TestServers } from '../testing/test-servers.ts';

const HANDLE = '00000000-0000-4000-8000-0000000000aa';
const CALL = { timeoutMs: 5_000 };
const LENGTH = 2 * BLOCK_BYTES;
/** Of one write, longer than mutations wait to be put in place. */
const SLOW_MS = 5_000;
/** Until mutations are in place. */
const SETTLED_MS = 2_000;

test('late frame: what is written of an upload after all lies below the mutations that came since', async () => {
  const servers = await TestServers.start(5, ['one']);
  const { timing } = servers.simulation.host('one').disk;
  await servers.upload('one', { handle: HANDLE, offset: 0, bytes: Buffer.alloc(LENGTH, 1), sync: true });
  const { writeMs } = timing;
  timing.writeMs = [SLOW_MS, SLOW_MS];
  const frame = { handle: HANDLE, version: 1, offset: LENGTH, route: [], fanOut: false, sync: false };
  const data = dataPart(Buffer.alloc(BLOCK_BYTES, 2));
  const late = { ...frame, members: [1], uploadId: 'u' };
  servers
    .peers!.channel('one:8080')
    .call(ChunkserverDataMethods.uploadFrame, late, { timeoutMs: 4 * SLOW_MS, data })
    .catch(() => {}); // whatever it hears
  await servers.sleep(20);
  timing.writeMs = writeMs;

  const channel = servers.peers!.channel('one:8080');
  const record = Buffer.alloc(1_000, 3);
  const view = {
    ...{ handle: HANDLE, version: 1, members: [1], addresses: ['one:8080'], baseSequence: 0, minimum: 1 },
    ...{ sealed: false, baseLength: LENGTH, lease: 1, disks: [] },
  };
  const mutation = { handle: HANDLE, version: 1, term: 1, sequence: 1, offset: LENGTH, append: true };
  await servers.run(async () => {
    await channel.call(ChunkserverPeerMethods.installView, { view, term: 1, fence: false, create: false }, CALL);
    const staged = { ...mutation, operation: undefined, committedSequence: 0 };
    const { message } = await channel.call(ChunkserverPeerMethods.stageMutation, staged, {
      ...CALL,
      data: dataPart(record),
    });
    equal(message.stagedSequence, 1);
    const committed = { handle: HANDLE, version: 1, term: 1, committedSequence: 1 };
    await channel.call(ChunkserverPeerMethods.commit, committed, CALL);
  });
  await servers.sleep(SLOW_MS + SETTLED_MS);
  const read = { handle: HANDLE, offset: LENGTH, length: record.length, knownLength: LENGTH + record.length };
  const bytes = await servers.read('one', read);
  deepEqual([bytes.length, crc32c(bytes)], [record.length, crc32c(record)]);
  const [path] = [...servers.simulation.host('one').disk.files.keys()].filter((name) => name.endsWith(HANDLE));
  equal(path, `disk/chunks/aa/${HANDLE}`);
  const inPlace = Buffer.alloc(record.length);
  servers.simulation.host('one').disk.files.get(path!)!.read(LENGTH, inPlace);
  equal(crc32c(inPlace), crc32c(record), 'it was put in place');
});
