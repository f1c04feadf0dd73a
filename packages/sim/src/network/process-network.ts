import type { Address, Connection, Listener, Network } from '@cairnfs/base';
import type { SimProcess } from '../process.ts';
import type { SimNetwork } from './sim-network.ts';

/** The network seam of one process. */
export class ProcessNetwork implements Network {
  readonly #network: SimNetwork;
  readonly #process: SimProcess;

  constructor(network: SimNetwork, process: SimProcess) {
    this.#network = network;
    this.#process = process;
  }

  async connect(to: Address, timeoutMs: number): Promise<Connection> {
    return this.#network.connect(this.#process, to, timeoutMs);
  }

  listen(at: Address, accept: (connection: Connection) => void): Promise<Listener> {
    return this.#process.settleLater(0, () => {
      const address = this.#network.listen(this.#process, at, accept);
      return {
        address,
        close: () => this.#process.settleLater(0, () => this.#network.closeListener(address)),
      };
    });
  }
}
