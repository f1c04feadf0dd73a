import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MasterMethods as Master } from '../methods.ts';
import { makeFixture, seededRandom } from '../testing/fixtures.ts';
import { createRpcPool } from './rpc-pool.ts';

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
  assert.throws(() => pool.channel('held:4'), { kind: 'OVERLOADED' });
  pool.close();
  await Promise.all(held);
  assert.equal(pool.channel('held:4').address, 'held:4');
});
