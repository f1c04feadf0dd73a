export { SimulatedCluster, type SimulatedClusterOptions } from './simulated-cluster.ts';
