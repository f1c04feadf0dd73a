import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { FsError } from '@cairnfs/base';
import { ChunkserverDataMethods as Data, MasterMethods as Master } from '../methods.ts';
import { makeFixture, SERVER_ADDRESS } from '../testing/fixtures.ts';
import { isClosedUnheard, otherKindOfServer } from './wrong-peer.ts';

const STAT = { file: { path: '/a', inode: 0 } };
const READ = { handle: 'h', version: 1, offset: 0, length: 5, knownLength: 9, knownSequence: undefined };
const TIMEOUT = { timeoutMs: 1000 };

const failureOf = (call: Promise<unknown>) =>
  call.then(
    () => undefined,
    (error: FsError) => error,
  ) as Promise<FsError>;

test('wrong peer: an unknown method tells which kind of server it was sent to', async () => {
  const chunkserver = await makeFixture({
    register: (server) => server.handle(Data.readChunk, () => ({ message: { length: 0, committedLength: 0 } })),
  });
  const onChunkserver = failureOf(chunkserver.channel.call(Master.stat, STAT, TIMEOUT));
  const ofItsOwn = failureOf(chunkserver.channel.call(Data.getChunkLength, { handle: 'h', version: 1 }, TIMEOUT));
  await chunkserver.clock.settle();
  equal(otherKindOfServer(await onChunkserver, Master.stat), 'chunkserver');
  equal((await ofItsOwn).kind, 'UNKNOWN_METHOD');
  equal(otherKindOfServer(await ofItsOwn, Data.getChunkLength), undefined);
  const master = await makeFixture({
    register: (server) => server.handle(Master.stat, () => ({ message: { attributes: undefined } })),
  });
  const onMaster = failureOf(master.channel.call(Data.readChunk, READ, TIMEOUT));
  await master.clock.settle();
  equal(otherKindOfServer(await onMaster, Data.readChunk), 'master');
  equal(otherKindOfServer(new FsError('UNKNOWN_METHOD', 'of an older server'), Master.stat), undefined);
});

test('wrong peer: a connection closed without a word is told from one that nobody took, or on which something was said', async () => {
  for (const [said, isUnheard] of [
    [undefined, true],
    [new Uint8Array([9]), false],
  ] as const) {
    const { clock, network, channel } = await makeFixture();
    await network.listen(SERVER_ADDRESS, (connection) => {
      if (said !== undefined) connection.write([said]);
      connection.close();
    });
    const failure = failureOf(channel.call(Master.stat, STAT, TIMEOUT));
    await clock.settle();
    equal((await failure).kind, 'CONNECTION_REFUSED');
    equal(isClosedUnheard(await failure), isUnheard);
  }
  const { clock, pool } = await makeFixture();
  const refused = failureOf(pool.channel('nobody:1').call(Master.stat, STAT, TIMEOUT));
  await clock.settle();
  equal(isClosedUnheard(await refused), false);
});
