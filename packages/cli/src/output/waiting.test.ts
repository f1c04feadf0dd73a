import { deepEqual, match } from 'node:assert/strict';
import { test } from 'node:test';
import { FsError } from '@cairnfs/base';
import type { ClusterStatus } from '@cairnfs/client';
import { tellWhenMasterIsSilent } from './waiting.ts';

async function told(answer: () => Promise<ClusterStatus>): Promise<string[]> {
  const lines: string[] = [];
  let end: () => void = () => undefined;
  await new Promise<void>((asked) => {
    const clusterStatus = () => {
      setImmediate(asked);
      return answer();
    };
    end = tellWhenMasterIsSilent({ clusterStatus }, 60_000, (line) => lines.push(line), 0);
  });
  end();
  return lines;
}

test('waiting: a master that nobody reaches is told, with how long it is tried', async () => {
  const cause = new FsError('CONNECTION_REFUSED', 'No connection to m:9000: nobody listens there');
  const lines = await told(async () => {
    throw new FsError('CONNECTION_REFUSED', `gave up after 2 s: ${cause.message}`, { cause });
  });
  match(lines.join(), /^cairn: No connection to m:9000: nobody listens there; trying for 1m in all \(--timeout\)\n$/);
});

test('waiting: a master that answers slowly is no reason to say anything', async () => {
  const slow = async () => {
    throw new FsError('DEADLINE_EXCEEDED', 'gave up after 2 s');
  };
  deepEqual(await told(slow), []);
});

test('waiting: a cluster that takes no writes is told, one that does is not', async () => {
  const status = (part: Partial<ClusterStatus>) => async () =>
    ({ writable: true, safeMode: false, safeModeReason: '', ...part }) as ClusterStatus;
  match((await told(status({ writable: false }))).join(), /too few chunkservers/);
  match((await told(status({ safeMode: true, safeModeReason: '1 of 3' }))).join(), /safe mode \(1 of 3\)/);
  deepEqual(await told(status({})), []);
});
