import { deepEqual, equal, notEqual, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { uuidToKey } from '@cairnfs/base';
import { Simulation } from '@cairnfs/sim';
import { rot } from './bit-rot.ts';

const [ONE, OTHER] = ['0a1b2c3d-0000-4000-8000-000000000001', '0a1b2c3d-0000-4000-8000-000000000002'];
const PATH = `disk/chunks/01/${ONE}`;
const NOBODY: ReadonlySet<string> = new Set();

/** A chunk file, and entries of the index of two chunks. */
async function diskWithChunks() {
  const simulation = new Simulation({ seed: 1 });
  const { disk } = simulation.host('server');
  const { disk: seam } = simulation.host('server').start();
  await simulation.run(async () => {
    await seam.makeDirectory('disk/chunks/01');
    const file = await seam.open(PATH, 'create');
    await file.write(0, [new Uint8Array(100)]);
    await file.close();
  });
  const store = disk.store('disk/state');
  const keys = [`c${uuidToKey(ONE)}`, `p${uuidToKey(OTHER)}`];
  store.write([...keys, 'not of a chunk'].map((key) => ({ key, value: new Uint8Array(20) })));
  const isDamaged = (key: string) => store.get(key)!.some((byte) => byte !== 0);
  return { disk, keys, isDamaged };
}

test('bit rot: it strikes chunk files and what the index says of a chunk, and nothing else', async () => {
  const struck = new Set<string>();
  for (let choice = 0; choice < 1; choice += 0.0101) {
    const { disk, keys, isDamaged } = await diskWithChunks();
    const { path, handle, sizeBytes } = rot(disk, { choice, bits: 1, spared: NOBODY })!;
    struck.add(path);
    deepEqual(keys.map(isDamaged), [path === `disk/state c ${ONE}`, path === `disk/state p ${OTHER}`]);
    equal(sizeBytes, path === PATH ? 100 : 20);
    equal(handle, path.endsWith(ONE) ? ONE : OTHER);
    ok(!isDamaged('not of a chunk'));
  }
  deepEqual([...struck].sort(), [PATH, `disk/state c ${ONE}`, `disk/state p ${OTHER}`].sort());
});

test('bit rot: copies that are spared stay sound', async () => {
  for (let choice = 0; choice < 1; choice += 0.0101) {
    const { disk, keys, isDamaged } = await diskWithChunks();
    notEqual(rot(disk, { choice, bits: 3, spared: new Set([ONE]) })?.handle, ONE);
    ok(!isDamaged(keys[0]!));
    equal(rot(disk, { choice, bits: 3, spared: new Set([ONE, OTHER]) }), undefined);
  }
});
