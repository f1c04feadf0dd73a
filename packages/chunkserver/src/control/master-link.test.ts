import { rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { FsError } from '@cairnfs/base';
import { MasterControlMethods, type RpcPool } from '@cairnfs/protocol';
import { MasterLink } from './master-link.ts';

/** Every call is refused by a server with these services. */
function servedBy(services: string): MasterLink {
  const call = async () => {
    throw new FsError('UNKNOWN_METHOD', 'method 64 is not served here', { details: { services } });
  };
  return new MasterLink({ channel: () => ({ call }) } as unknown as RpcPool, ['10.0.0.2:8080']);
}

test('master link: a chunkserver among the masters is told as what it is', async () => {
  const call = (link: MasterLink) => link.call(MasterControlMethods.heartbeat, {} as never, { timeoutMs: 1 });
  const kind = 'UNKNOWN_METHOD';
  const message = '10.0.0.2:8080 is a chunkserver: "masters" names the masters';
  await rejects(call(servedBy('ChunkserverData,ChunkserverControl')), { kind, message });
  await rejects(call(servedBy('Master,MasterControl')), { kind, message: 'method 64 is not served here' });
});
