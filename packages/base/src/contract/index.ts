export { clockContract } from './clock-contract.ts';
export { diskContract } from './disk-contract.ts';
export { networkContract } from './network-contract.ts';
export { stateStoreContract } from './state-store-contract.ts';
export type { ContractSubject, MakeSubject } from './subject.ts';
