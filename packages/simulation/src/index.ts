export { SimulatedCluster, type SimulatedClusterOptions } from './cluster/simulated-cluster.ts';
