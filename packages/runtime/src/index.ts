export { RuntimeClock } from './clock.ts';
export { makeDirectory } from './disk/make-directory.ts';
export { RuntimeDisk } from './disk/runtime-disk.ts';
export { RuntimeMachine } from './machine.ts';
export { RuntimeNetwork, type SharedAccept } from './network/runtime-network.ts';
export { RuntimeRandom } from './random.ts';
