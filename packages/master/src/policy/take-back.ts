/**
 * Copies beside the members that become a member's again (docs/spec/views.md, "A copy is taken back"): which of them is
 * asked, and what is learned when that fails.
 */
import { FsError, isFsError, toFsError } from '@cairnfs/base';
import type { ReplicaReport } from '@cairnfs/protocol';
import { describeReplicas } from '../cluster/describe-replicas.ts';
import type { ReplicaConditions } from '../cluster/replica-conditions.ts';
import type { ReplicaReports } from '../cluster/replica-reports.ts';
import type { ServerTable } from '../cluster/server-table.ts';
import type { MasterContext, Views } from '../context.ts';
import { type Chunk, ChunkState } from '../gen/cairn/master/v1/state.ts';
import { JoinFailure } from '../views/join-failure.ts';
import { asSpare } from '../views/spare-copy.ts';
import type { ViewChanges } from '../views/view-change.ts';
import type { FailingServers } from './failing-servers.ts';
import { Overtaken } from './overtaken.ts';

interface TakeBackParts {
  servers: ServerTable;
  conditions: ReplicaConditions;
  reports: ReplicaReports;
  changes: ViewChanges;
  views: Views;
  failing: FailingServers;
  needsCopy(handle: string, chunk: Chunk): boolean;
  /** Members that leave when one joins. */
  leaving(handle: string, chunk: Chunk): number[];
}

export class TakeBack {
  readonly #context: MasterContext;
  readonly #parts: TakeBackParts;
  /** Chunks that were opened again before it was known what the copy holds, through no fault of its server. */
  readonly #overtaken = new Overtaken();

  constructor(context: MasterContext, parts: TakeBackParts) {
    this.#context = context;
    this.#parts = parts;
  }

  /** Servers in reach with a copy beside the members that may hold all of the chunk. */
  spares(handle: string, { members }: Chunk): number[] {
    const { reports, servers } = this.#parts;
    return reports.sparesOf(handle).filter((server) => servers.isLive(server) && !members.includes(server));
  }

  /**
   * The copy becomes a member's again if it holds all of the chunk. That stays closed meanwhile, as for a clone, or of one that
   * is written to all the time no copy could even be looked at; and the next time for longer where that was too short to close
   * it, for a member that is slow.
   *
   * @throws FsError UNAVAILABLE  the chunk was opened again meanwhile; JoinFailure  the server's fault, or the copy's.
   */
  async run(handle: string, server: number): Promise<void> {
    const closedMs = this.#overtaken.closedMs(handle);
    const kept = this.#parts.views.keepClosed(handle, closedMs);
    try {
      await this.#rejoin(handle, server, closedMs);
      this.#overtaken.ended(handle);
    } catch (error) {
      if (error instanceof JoinFailure) {
        this.#overtaken.ended(handle);
        this.#learn(handle, server, error);
      }
      throw error;
    } finally {
      kept.end();
    }
  }

  /**
   * How long the chunk is left alone after a failure. Not for long where the server is blamed: by the end of that it would be asked
   * first again, for ever.
   */
  pauseMs(handle: string): number {
    return this.#overtaken.pauseMs(handle);
  }

  async #rejoin(handle: string, server: number, closedMs: number): Promise<void> {
    const { decisions, seams } = this.#context;
    const { views, changes, reports, conditions, needsCopy, leaving } = this.#parts;
    await views.close(handle, { seal: false });
    conditions.clear(server, handle); // what is told from here on counts
    const askedAtMs = seams.clock.nowMs();
    const report = await this.#describe(handle, server);
    const isLate = seams.clock.nowMs() - askedAtMs >= closedMs;
    if (report === undefined) {
      reports.absent(server, handle);
      return;
    }
    await changes.whenIdle(handle);
    const chunk = decisions.read().chunk(handle);
    if (chunk === undefined || chunk.members.includes(server) || !needsCopy(handle, chunk)) return;
    if (chunk.state === ChunkState.CHUNK_STATE_OPEN) {
      if (!isLate) this.#overtaken.again(handle);
      else {
        this.#overtaken.ended(handle);
        this.#parts.failing.failed(server); // the next time would keep writers waiting as long
      }
      throw new FsError('UNAVAILABLE', `chunk ${handle} was opened again meanwhile`);
    }
    const rejoins = asSpare(chunk, report);
    if (rejoins === undefined) {
      reports.refuseSpare(server, handle);
      return;
    }
    await changes.change(handle, { joining: server, rejoins, without: leaving(handle, chunk) });
    this.#parts.failing.worked(server);
    seams.log.info('a copy was taken back', { handle, server });
  }

  async #describe(handle: string, server: number): Promise<ReplicaReport | undefined> {
    const address = this.#parts.servers.get(server)?.address ?? '';
    try {
      const [report] = await describeReplicas(this.#context, { id: server, address }, [handle]);
      return report;
    } catch (error) {
      throw new JoinFailure(server, toFsError(error));
    }
  }

  #learn(handle: string, server: number, failure: JoinFailure): void {
    const { reports } = this.#parts;
    if (isFsError(failure, 'STALE_VERSION')) reports.refuseSpare(server, handle);
    // With its disk, perhaps: what is told of it when it is back is looked at anew.
    else if (isFsError(failure, 'CHUNK_NOT_FOUND')) reports.absent(server, handle);
    else this.#parts.failing.failed(server);
  }
}
