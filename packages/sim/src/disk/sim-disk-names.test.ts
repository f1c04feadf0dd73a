import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SimRandom } from '../random.ts';
import { directoryOf, SimDisk } from './sim-disk.ts';

const DIRECTORIES = ['/a', '/a/b', '/c'];
const path = fc
  .tuple(fc.constantFrom(...DIRECTORIES), fc.constantFrom('x', 'y', 'z'))
  .map(([folder, name]) => `${folder}/${name}`);

test('disk: lists what is there, whatever was created, renamed, removed, lost or wiped between two listings', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(7), path, path)), (steps) => {
      const disk = new SimDisk(new SimRandom(1));
      for (const directory of DIRECTORIES) disk.makeDirectory(directory);
      for (const [step, from, to] of steps) {
        if (step === 0) disk.crash('lose');
        else if (step === 1) disk.wipe(directoryOf(from));
        else if (step === 2) disk.syncDirectory(directoryOf(from));
        else if (!disk.files.has(from)) disk.create(from);
        else if (step < 6) disk.rename(from, to);
        else disk.remove(from);
        for (const directory of ['', '/', ...DIRECTORIES]) {
          const paths = [...disk.files.keys(), ...disk.directories].filter((one) => directoryOf(one) === directory);
          const names = paths.map((one) => one.slice(one.lastIndexOf('/') + 1)).filter((name) => name !== '');
          deepEqual(disk.list(directory), [...new Set(names)].sort(), directory);
        }
      }
    }),
  );
});
