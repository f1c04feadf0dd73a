import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type ContractSubject,
  clockContract,
  diskContract,
  networkContract,
  stateStoreContract,
} from '@cairnfs/base/contract';
import { createServerSeams } from './server-seams.ts';

async function makeSubject(): Promise<ContractSubject> {
  const directory = await mkdtemp(join(tmpdir(), 'cairnfs-contract-'));
  return {
    seams: createServerSeams({ log: { level: 'silent' } }),
    directory,
    listenAt: '127.0.0.1:0',
    run: (work) => work(),
    close: () => rm(directory, { recursive: true }),
  };
}

clockContract(makeSubject);
diskContract(makeSubject);
networkContract(makeSubject);
stateStoreContract(makeSubject);
