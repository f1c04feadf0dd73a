/** The namespace's methods of the framed protocol (and, through the same handlers, gRPC). */

import { MasterMethods, type Method, type OperationId, type RpcRouter } from '@cairnfs/protocol';
import type { MasterContext, MasterParts } from '../context.ts';
import { bytesOfCheck, bytesOfList, bytesOfLocate, bytesOfPlan, withRoom } from '../large-answers.ts';
import type { Transaction } from '../state/transaction.ts';
import type { UploadCalls } from '../upload/upload-calls.ts';
import { type ChangeContext, create, makeDirectory, remove, rename, setAttributes } from './change-calls.ts';
import { CheckCall } from './check.ts';
import { garbageDueMs } from './destroy.ts';
import { Gate } from './gate.ts';
import { LocateCall } from './locate.ts';
import { OpenExtentCall } from './open-extent.ts';
import { once } from './operations.ts';
import { ReadCalls } from './read-calls.ts';
import { TruncateCall } from './truncate.ts';

export function registerNamespace(
  rpc: RpcRouter,
  context: MasterContext,
  parts: MasterParts,
  uploads: UploadCalls,
): void {
  const { decisions } = context;
  const reads = new ReadCalls(context.seams.clock, decisions, parts.views);
  const gate = new Gate<number>();
  const locate = new LocateCall(context, parts, gate);
  const extents = new OpenExtentCall(context, parts, gate);
  const truncate = new TruncateCall(context, parts.views, gate);
  const check = new CheckCall(decisions, parts.cluster, context.config);

  /** A change that is one decision, applied once. */
  const handleChange = <Q extends { operation: OperationId | undefined }, S>(
    method: Method<Q, S> & { stream: 'none' },
    decide: (transaction: Transaction, request: Q, change: ChangeContext) => S,
  ) => {
    rpc.handle(method, async (request) => {
      const change = changeContext(context);
      const { operation } = request;
      const message = await decisions.perform(method.name, (transaction) =>
        once(
          transaction,
          { operation, method: method.id, reply: method.response, atMs: context.calendar.nowMs() },
          () => decide(transaction, request, change),
        ),
      );
      return { message };
    });
  };

  rpc.handle(MasterMethods.stat, (request) => reads.stat(request));
  rpc.handle(
    MasterMethods.list,
    withRoom(bytesOfList, (request) => reads.list(request)),
  );
  rpc.handle(
    MasterMethods.locate,
    withRoom(bytesOfLocate, (request) => locate.locate(request)),
  );
  rpc.handle(
    MasterMethods.check,
    withRoom(bytesOfCheck, (request) => check.check(request)),
  );
  rpc.handle(MasterMethods.openExtent, (request) => extents.openExtent(request));
  rpc.handle(MasterMethods.truncate, (request, call) => truncate.truncate(request, call));
  handleChange(MasterMethods.makeDirectory, makeDirectory);
  handleChange(MasterMethods.create, create);
  handleChange(MasterMethods.rename, rename);
  handleChange(MasterMethods.delete, remove);
  handleChange(MasterMethods.setAttributes, (transaction, request, { wallMs }) =>
    setAttributes(transaction, request, wallMs),
  );
  rpc.handle(
    MasterMethods.beginUpload,
    withRoom(bytesOfPlan, (request) => uploads.begin(request)),
  );
  rpc.handle(
    MasterMethods.extendUpload,
    withRoom(bytesOfPlan, (request) => uploads.extend(request)),
  );
  rpc.handle(MasterMethods.confirmUpload, (request) => uploads.confirm(request, changeContext(context)));
  rpc.handle(MasterMethods.abortUpload, (request) => uploads.abort(request));
}

function changeContext(context: MasterContext): ChangeContext {
  const { calendar, config, seams } = context;
  return {
    wallMs: seams.clock.wallMs(),
    deletedMs: calendar.stampMs(),
    replication: config.replication,
    garbageDueMs: garbageDueMs(context),
  };
}
