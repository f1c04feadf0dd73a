export { SimClock } from './clock.ts';
export { type DiskFault, type DiskOperation, type DiskTiming, SimDisk } from './disk/sim-disk.ts';
export { SECTOR_BYTES, type UnsyncedFate } from './disk/sim-file.ts';
export { type ClockOptions, type CrashOptions, SimHost } from './host.ts';
export { SimMachine } from './machine.ts';
export { type NetworkConditions, SimNetwork } from './network/sim-network.ts';
export { SimRandom } from './random.ts';
export { Simulation, type SimulationOptions } from './simulation.ts';
export { SimLog, Trace, type TraceEntry, type TraceOptions } from './trace.ts';
