/** A master, put together: journal and state, the parts over them, and the port they are reached at. */
import { type Address, ProcessCalendar, type Seams } from '@cairnfs/base';
import { createRpcPool, createRpcServer, type RpcServer } from '@cairnfs/protocol';
import { DiskWatch, onDevice, openLedger } from '@cairnfs/storage';
import { beginIncarnation } from './bootstrap.ts';
import type { MasterStatistics } from './cluster/statistics.ts';
import type { MasterHealth } from './cluster/status.ts';
import type { MasterConfig } from './config.ts';
import type { MasterContext } from './context.ts';
import { LedgerDecisions } from './decisions.ts';
import { Housekeeping } from './housekeeping.ts';
import { LogRecords } from './log-records.ts';
import { takeFolder } from './master-folder.ts';
import { FileLayout } from './namespace/file-layout.ts';
import { registerNamespace } from './namespace/register.ts';
import { createParts } from './parts.ts';
import { UploadCalls } from './upload/upload-calls.ts';
import { UploadPlans } from './upload/upload-plans.ts';

export interface Master {
  readonly address: Address;
  readonly clusterId: string;
  /** Its handlers serve gRPC too. */
  readonly rpc: RpcServer;
  health(): MasterHealth;
  statistics(): MasterStatistics;
  /** Finishes what is under way and checkpoints, so that the next start replays nothing. */
  close(): Promise<void>;
}

const FORMAT = { name: 'master', version: 1 } as const;

/**
 * Starts a master on `config.directory`; it serves when the promise resolves.
 *
 * @throws FsError DAMAGED  journal or state cannot be trusted; the message names file and remedy.
 * @throws FsError INVALID_ARGUMENT  the directory holds files that are no master's, or is a file.
 * @throws DiskError EBUSY  another process uses the directory.
 */
export async function startMaster(seams: Seams, config: MasterConfig): Promise<Master> {
  const { clock, log, network, random } = seams;
  const closers: (() => Promise<void> | void)[] = [];
  /** In the reverse order of what was started; one that fails keeps none of the others. */
  const closeAll = async () => {
    const errors: unknown[] = [];
    for (let closer = closers.pop(); closer !== undefined; closer = closers.pop()) {
      try {
        await closer();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  };
  try {
    const { directory, diskTimeoutMs: timeoutMs } = config;
    const device = onDevice(seams);
    const { disk } = device;
    const watch = new DiskWatch({ clock, device: disk, directory, timeoutMs });
    closers.push(() => watch.end());
    await takeFolder(disk, directory);
    const lock = await disk.lock(`${directory}/lock`);
    closers.push(() => lock.release());
    const records = new LogRecords();
    const ledger = await openLedger(device, { directory, format: FORMAT, apply: records.apply }, config.journal);
    closers.push(() => ledger.close());
    watch.onFailure((error) => ledger.fail(error));
    void ledger.failed.then((error) => seams.fatal(error));
    const decisions = new LedgerDecisions(ledger, records);
    const { clusterId, incarnation } = await beginIncarnation(decisions, seams, config.chunkBytes);
    const pool = createRpcPool({ clock, random, network, log, isServer: true });
    closers.push(() => pool.close());
    const limits = { answerBytesMax: config.bounds.answerBytesMax };
    const rpc = createRpcServer({ clock, log, fatal: seams.fatal, limits });
    closers.push(() => rpc.close());
    const context: MasterContext = {
      seams,
      config,
      ledger,
      decisions,
      pool,
      clusterId,
      layout: new FileLayout(config.chunkBytes),
      plans: new UploadPlans(),
      incarnation,
      startedAtMs: clock.nowMs(),
      startedWallMs: clock.wallMs(),
      calendar: new ProcessCalendar(clock),
    };
    const parts = createParts(context);
    const uploads = new UploadCalls(context, parts);
    const housekeeping = new Housekeeping(context, uploads, parts.safeMode);
    registerNamespace(rpc, context, parts, uploads);
    parts.register(rpc);
    const listener = await network.listen(config.listen, (connection) => rpc.accept(connection));
    parts.start();
    closers.push(() => parts.stop());
    housekeeping.start();
    closers.push(() => housekeeping.stop());
    closers.push(() => listener.close());
    log.info('master serves', { address: listener.address, clusterId, incarnation });
    let closing: Promise<void> | undefined;
    return {
      address: listener.address,
      clusterId,
      rpc,
      health: () => parts.health(),
      statistics: () => parts.statistics(rpc),
      close: () => {
        closing ??= closeAll();
        return closing;
      },
    };
  } catch (error) {
    await closeAll().catch((closeError: unknown) => log.error('a failed start was not undone', { error: closeError }));
    throw error;
  }
}
