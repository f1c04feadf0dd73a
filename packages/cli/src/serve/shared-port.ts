/** One port for both protocols: the framed one goes to the server, gRPC to an adapter over the same handlers. */
import type { Socket } from 'node:net';
import type { Network } from '@cairnfs/base';
import type { RuntimeNetwork } from '@cairnfs/runtime';
import { createGrpcServer, type GrpcServer, type GrpcServerOptions } from '@cairnfs/server';

export class SharedPort {
  /** Hand it to the server in place of the real network. */
  readonly network: Network;
  #grpc: GrpcServer | undefined;

  constructor(network: RuntimeNetwork) {
    this.network = {
      connect: (to, timeoutMs) => network.connect(to, timeoutMs),
      listen: (at, accept) => network.listenShared(at, { framed: accept, http2: (socket) => this.#accept(socket) }),
    };
  }

  /** Serves gRPC from now on; before, its connections are closed. */
  serveGrpc(options: GrpcServerOptions): void {
    this.#grpc = createGrpcServer(options);
  }

  async close(): Promise<void> {
    await this.#grpc?.close();
  }

  #accept(socket: Socket): void {
    if (this.#grpc === undefined) socket.destroy();
    else this.#grpc.accept(socket);
  }
}
