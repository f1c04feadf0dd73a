import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MasterMethods as Master, ChunkserverPeerMethods as Peer } from '../methods.ts';
import { makeFixture, seededRandom } from '../testing/fixtures.ts';
import { createRpcPool } from './rpc-pool.ts';

const FETCH = { handle: 'c', version: 1, length: 1, sequence: 0 };

test('pool: addresses that nobody calls make room for others, and past the bound none is called', async () => {
  const { clock, network, log } = await makeFixture();
  await network.listen('held:1', () => {});
  const pool = createRpcPool({ clock, network, log, random: seededRandom(1), channelsMax: 3 });
  const call = (address: string) => pool.channel(address).call(Master.stat, { file: undefined }, { timeoutMs: 1000 });
  for (let index = 0; index < 10; index += 1) {
    const refused = assert.rejects(call(`nobody:${index}`), { kind: 'CONNECTION_REFUSED' });
    await clock.settle();
    await refused;
  }
  await network.listen('held:2', () => {});
  await network.listen('held:3', () => {});
  const held = ['held:1', 'held:2', 'held:3'].map((address) => assert.rejects(call(address), { kind: 'CANCELLED' }));
  await clock.settle();
  const refused = pool.channel('held:4');
  assert.equal(refused.address, 'held:4');
  let sentCount = 0;
  const data = { buffers: [new Uint8Array(1)], checksum: 0, sent: () => (sentCount += 1) };
  await assert.rejects(refused.call(Master.stat, { file: undefined }, { timeoutMs: 1000, data }), {
    kind: 'OVERLOADED',
  });
  assert.equal(sentCount, 1); // the data is given back
  const items = refused.stream(Peer.fetchReplica, FETCH, { timeoutMs: 1000 });
  await assert.rejects(items[Symbol.asyncIterator]().next(), { kind: 'OVERLOADED' });
  pool.close();
  await Promise.all(held);
  await network.listen('held:4', () => {});
  const later = assert.rejects(call('held:4'), { kind: 'CANCELLED' }); // no refusal is kept
  await clock.settle();
  pool.close();
  await later;
});
