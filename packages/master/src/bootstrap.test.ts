import { equal, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { CHUNK_BYTES_MAX } from '@cairnfs/protocol';
import { Simulation } from '@cairnfs/sim';
import { MASTER_DEFAULTS, type MasterConfig } from './config.ts';
import { startMaster } from './master.ts';
import { META } from './state/keys.ts';
import { TestNamespace } from './testing/test-namespace.ts';

const KiB = 1024;

/** Starts a master on one host, once for each configuration; crashes it in between. */
function starts(simulation: Simulation) {
  return async (changes: Partial<MasterConfig>): Promise<void> => {
    const host = simulation.host('master');
    const config = { ...MASTER_DEFAULTS, listen: 'master:9000', directory: 'data', ...changes };
    try {
      await simulation.run(startMaster(host.start(), config));
    } finally {
      host.crash({ unsynced: 'lose', isSilent: false });
    }
  };
}

test('chunk size: a size that no chunk may have is refused before anything is made', async () => {
  const start = starts(new Simulation({ seed: 1 }));
  for (const chunkBytes of [0, 64 * KiB, 128 * KiB + 1, 160 * KiB, CHUNK_BYTES_MAX + 64 * KiB, Number.NaN]) {
    await rejects(start({ chunkBytes }), { kind: 'INVALID_ARGUMENT', message: /131072 to 67108864 are possible/ });
  }
  await start({ chunkBytes: 192 * KiB });
});

test('chunk size: fixed by the first start, a later one with another is refused', async () => {
  const start = starts(new Simulation({ seed: 1 }));
  await start({ chunkBytes: 128 * KiB });
  const refusal = {
    kind: 'CLUSTER_MISMATCH',
    message: /: start the master with chunk_size = "128KiB", not "64MiB"/,
  };
  await rejects(start({}), refusal);
  await start({ chunkBytes: 128 * KiB });
});

test('chunk size: a cluster that does not name one has the largest', async () => {
  const namespace = await TestNamespace.start();
  equal(
    namespace.read((transaction) => transaction.counter(META.chunkBytes)),
    CHUNK_BYTES_MAX,
  );
  await namespace.do((transaction) => transaction.remove(META.chunkBytes));
  await namespace.crash();
  ok(namespace.exists('/.trash'));
});
