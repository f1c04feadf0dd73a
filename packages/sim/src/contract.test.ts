import {
  type ContractSubject,
  clockContract,
  diskContract,
  networkContract,
  stateStoreContract,
} from '@cairnfs/base/contract';
import { Simulation } from './simulation.ts';

async function makeSubject(): Promise<ContractSubject> {
  const simulation = new Simulation({ seed: 1 });
  const seams = simulation.host('server').start();
  const directory = '/data';
  await simulation.run(seams.disk.makeDirectory(directory));
  return {
    seams,
    directory,
    listenAt: '127.0.0.1:0',
    run: (work) => simulation.run(work),
    close: async () => {},
  };
}

clockContract(makeSubject);
diskContract(makeSubject);
networkContract(makeSubject);
stateStoreContract(makeSubject);
