/** Calls to the master: tried again through failures and restarts until the deadline, applied once. */
import { FsError, isFsError, momentOf, UNREACHABLE } from '@cairnfs/base';
import { isClosedUnheard, type Method, type OperationId, otherKindOfServer, type RpcPool } from '@cairnfs/protocol';
import { CLOSED_UNHEARD_MAX, MASTER_ATTEMPT_MS, TIMEOUT_DEFAULT_MS } from '../limits.ts';
import type { CallOptions, ClientOptions, ClientSeams } from '../options.ts';
import { Deadline } from './deadline.ts';
import { FrameGates } from './frame-gates.ts';
import { OpenOutcome } from './open-outcome.ts';
import { OperationIds } from './operation-ids.ts';
import { SpareUploads } from './spare-uploads.ts';

export class MasterCalls {
  readonly seams: ClientSeams;
  readonly pool: RpcPool;
  readonly operations: OperationIds;
  readonly spareUploads: SpareUploads;
  readonly frameGates = new FrameGates();
  readonly #options: ClientOptions;
  /** The cluster's chunk size; unknown until the master told it with a plan or an extent. */
  chunkBytes: number | undefined;
  #current = 0;
  /** A master listened at one of the addresses once. */
  #isReached = false;
  #isClosed = false;

  constructor(seams: ClientSeams, pool: RpcPool, options: ClientOptions) {
    this.seams = seams;
    this.pool = pool;
    this.operations = new OperationIds(seams.random);
    this.spareUploads = new SpareUploads(seams.clock);
    this.#options = options;
  }

  deadline(options: CallOptions): Deadline {
    const timeoutMs = options.timeoutMs ?? this.#options.timeoutMs ?? TIMEOUT_DEFAULT_MS;
    const { onRetry } = this.#options;
    return new Deadline(this.seams, { signal: options.signal, timeoutMs, onRetry, isClosed: () => this.#isClosed });
  }

  /** What is under way fails, and nothing is tried again. */
  close(): void {
    this.#isClosed = true;
    this.pool.close();
  }

  async call<Q, S>(method: Method<Q, S> & { stream: 'none' }, request: Q, deadline: Deadline): Promise<S> {
    const { masters } = this.#options;
    let foreignCount = 0;
    let closedCount = 0;
    const outcome = new OpenOutcome(this.seams.clock);
    for (let attempt = 1; ; attempt += 1) {
      const address = masters[this.#current % masters.length]!;
      const options = { timeoutMs: deadline.attemptMs(MASTER_ATTEMPT_MS), signal: deadline.signal };
      outcome.check();
      const sent = momentOf(this.seams.clock);
      try {
        const { message } = await this.pool.channel(address).call(method, request, options);
        this.#isReached = true;
        return message;
      } catch (thrown) {
        deadline.signal?.throwIfAborted();
        const error = ofMaster(thrown, address, method);
        // The master itself never answers `afterLookup` of a call that could be repeated as it is.
        if (!isFsError(error) || error.reaction === 'never' || error.reaction === 'afterLookup') throw error;
        if (isChange(request) && error.reaction === 'unknown') {
          outcome.opened(sent, error);
          deadline.noteOutcomeOpen();
        }
        // A wrong address becomes no right one by waiting. One that was right does: something else is there while the master
        // is not, and what was sent to it before may have been done.
        this.#isReached ||= !isFsError(error, 'CONNECTION_REFUSED', 'NAME_UNRESOLVED', 'FOREIGN_PROTOCOL');
        foreignCount = isFsError(error, 'FOREIGN_PROTOCOL') ? foreignCount + 1 : 0;
        if (foreignCount === masters.length && !this.#isReached) throw error;
        closedCount = isFsError(error) && isClosedUnheard(error) ? closedCount + 1 : 0;
        if (closedCount === masters.length * CLOSED_UNHEARD_MAX && !this.#isReached) throw noServer(error, address);
        // Another master may lead; with one, this is the same again.
        if (isFsError(error, ...UNREACHABLE)) this.#current += 1;
        await deadline.pause(attempt, error);
      }
    }
  }

  /** A change: every attempt carries the same operation number, so the master applies it once. */
  change<Q extends { operation: OperationId | undefined }, S>(
    method: Method<Q, S> & { stream: 'none' },
    request: Omit<Q, 'operation'>,
    deadline: Deadline,
  ): Promise<S> {
    return this.operations.use((operation) => this.call(method, { operation, ...request } as Q, deadline));
  }
}

function isChange(request: unknown): boolean {
  return (request as { operation?: OperationId }).operation !== undefined;
}

/** With the address in the details, so that whoever tells of it knows that it is the master that failed; other calls go to chunkservers. */
function ofMaster(thrown: unknown, address: string, method: { readonly name: string }): unknown {
  if (!isFsError(thrown)) return thrown;
  const kindOfServer = otherKindOfServer(thrown, method);
  const message = kindOfServer === undefined ? thrown.message : `${address} is a ${kindOfServer}`;
  return new FsError(thrown.kind, message, { details: { ...thrown.details, master: address }, cause: thrown });
}

function noServer(cause: FsError, address: string): FsError {
  const message = `what listens at ${address} is not a CairnFS server: it closes every connection without a word; check host and port`;
  return new FsError('FOREIGN_PROTOCOL', message, { details: cause.details, cause });
}
