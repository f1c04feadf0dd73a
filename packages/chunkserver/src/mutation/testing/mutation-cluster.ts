/**
 * Several mutation modules against each other over an in-memory transport, with a scripted master: one chunk, crashes,
 * restarts, cuts, delays and duplicates, all from one seed.
 */
import { type Address, crc32c, FsError } from '@cairnfs/base';
import {
  type CallContext,
  type CallOptions,
  MasterControlMethods as Control,
  fromErrorDetail,
  type Method,
  type MutateReply,
  type MutateRequest,
  PooledBytes,
  type ReleaseLeasesRequest,
  type Reply,
  type ReportFailedMembersRequest,
  type RpcChannel,
  toErrorDetail,
} from '@cairnfs/protocol';
import { HANDLE, ScriptedMaster } from './scripted-master.ts';
import { TestServer } from './test-server.ts';
import { VirtualTime } from './virtual-time.ts';

export class MutationCluster {
  readonly time: VirtualTime;
  readonly servers: TestServer[];
  readonly master: ScriptedMaster;
  /** Share of messages between chunkservers that arrive twice. */
  duplicateRatio = 0;
  delayMsMax = 2;
  #open = new Set<{ from: number; to: number; lose: () => void }>();

  constructor({ seed, serverCount }: { seed: number; serverCount: number }) {
    this.time = new VirtualTime(seed);
    this.servers = Array.from({ length: serverCount }, (_, index) => new TestServer(this, index + 1));
    this.master = new ScriptedMaster(
      this,
      this.servers.map(({ id }) => id),
    );
    for (const server of this.servers) server.start();
  }

  server(id: number): TestServer {
    return this.servers[id - 1]!;
  }

  connectionsLost(server: TestServer): void {
    for (const call of [...this.#open]) if (call.from === server.id || call.to === server.id) call.lose();
  }

  /** A channel of one incarnation of a server; calls to one address arrive in order unless they come twice. */
  channel(from: TestServer, address: Address): RpcChannel {
    const mine = from.incarnation;
    const isAlive = () => from.isUp && from.incarnation === mine;
    const call = async <Q, S>(method: Method<Q, S>, request: Q, options: CallOptions): Promise<Reply<S>> => {
      const encoded = method.request.decode(method.request.encode(request).finish());
      const reply = await new Promise<S>((resolve, reject) => {
        const settle = (run: () => void) => {
          if (isAlive()) run();
        };
        const target = address === 'master:1' ? undefined : this.servers.find((server) => server.address === address);
        const open = { from: from.id, to: target?.id ?? 0, lose: () => settle(() => reject(lost())) };
        this.#open.add(open);
        const done = (run: () => void) => {
          if (!this.#open.delete(open)) return;
          settle(run);
        };
        this.time.after(options.timeoutMs, () => done(() => reject(new FsError('DEADLINE_EXCEEDED', method.name))));
        const data = options.data === undefined ? undefined : Buffer.concat(options.data.buffers as Uint8Array[]);
        options.data?.sent?.();
        const deliver = () => {
          if (from.isCut || target?.isCut) return;
          this.#serve(from, target, method, encoded, data).then(
            (message) =>
              this.time.after(this.#delay(), () => !from.isCut && !target?.isCut && done(() => resolve(message as S))),
            (error) =>
              this.time.after(
                this.#delay(),
                () => !from.isCut && !target?.isCut && done(() => reject(asReceived(error))),
              ),
          );
        };
        this.time.after(this.#delayInOrder(from.id, open.to), deliver);
        if (target !== undefined && this.time.chance() < this.duplicateRatio) {
          // Also long after, also from a sender that is gone; the answer reaches nobody.
          this.time.after(this.time.chance() * 200, () => {
            if (!target.isCut) this.#serve(from, target, method, encoded, data).catch(() => {});
          });
        }
      });
      return { message: reply, data: undefined };
    };
    return {
      address,
      call: call as RpcChannel['call'],
      stream: () => {
        throw new FsError('UNKNOWN_METHOD', 'no streams here');
      },
      close: () => {},
    };
  }

  /** A call from the master or a client. */
  async callServer(id: number, method: string, message: unknown, data?: Uint8Array): Promise<unknown> {
    const server = this.server(id);
    await this.time.sleep(this.#delay());
    if (!server.isUp) throw new FsError('CONNECTION_REFUSED', 'down');
    return await new Promise((resolve, reject) => {
      const open = { from: 0, to: id, lose: () => reject(lost()) };
      this.#open.add(open);
      this.time.after(5_000, () => {
        this.#open.delete(open);
        reject(new FsError('DEADLINE_EXCEEDED', method));
      });
      if (server.isCut) return;
      server
        .handler(method)(message, callContext(this.time.nowMs + 5_000, data))
        .then(
          (reply) =>
            this.time.after(this.#delay(), () => this.#open.delete(open) && !server.isCut && resolve(reply.message)),
          (error) =>
            this.time.after(this.#delay(), () => this.#open.delete(open) && !server.isCut && reject(asReceived(error))),
        );
    });
  }

  /** Sends one mutation to the primary the master names now. */
  async mutate(request: Omit<MutateRequest, 'handle' | 'version' | 'data'>, data: Uint8Array): Promise<MutateReply> {
    const { version, members } = this.master.view;
    const message = { ...request, handle: HANDLE, version, data: new Uint8Array(0) };
    return (await this.callServer(members[0]!, 'mutate', message, data)) as MutateReply;
  }

  async #serve(
    from: TestServer,
    target: TestServer | undefined,
    method: { readonly name: string },
    request: unknown,
    data: Uint8Array | undefined,
  ): Promise<unknown> {
    if (target === undefined) {
      if (method.name === Control.acquireLeases.name) {
        return await this.master.acquire(from.id, (request as { wanted: { version: number }[] }).wanted);
      }
      if (method.name === Control.reportFailedMembers.name) {
        return await this.master.report(from.id, request as ReportFailedMembersRequest);
      }
      if (method.name === Control.releaseLeases.name) {
        this.master.released.push(...(request as ReleaseLeasesRequest).released.map(({ lease }) => lease));
      }
      return {};
    }
    if (!target.isUp) throw new FsError('CONNECTION_REFUSED', 'down');
    const context = callContext(this.time.nowMs + 3_000, data);
    try {
      return (await target.handler(method.name)(request, context)).message;
    } finally {
      context.data?.memory.release();
    }
  }

  #delay(): number {
    return 0.05 + this.time.chance() * this.delayMsMax;
  }

  readonly #arrivals = new Map<string, number>();
  #delayInOrder(from: number, to: number): number {
    const key = `${from}>${to}`;
    const atMs = Math.max(this.time.nowMs + this.#delay(), this.#arrivals.get(key) ?? 0);
    this.#arrivals.set(key, atMs);
    return atMs - this.time.nowMs;
  }
}

/** The bytes are overwritten once released, so that a use after the release shows. */
function callContext(deadlineMs: number, data: Uint8Array | undefined): CallContext {
  const { signal } = new AbortController();
  const ofAny = { deadlineMs, signal, peer: 'test:1', room: () => undefined };
  if (data === undefined) return { ...ofAny, data: undefined };
  const bytes = new Uint8Array(data); // a copy: `slice` of a Buffer is not
  const memory = new PooledBytes(bytes, () => bytes.fill(0xee));
  return { ...ofAny, data: { bytes, checksum: crc32c(data), memory } };
}

function lost(): FsError {
  return new FsError('CONNECTION_LOST', 'the peer went');
}

/** On the wire an error's details are text. */
function asReceived(error: unknown): FsError {
  return fromErrorDetail(toErrorDetail(error));
}
