/** What a server that has no lease can say of a mutation. */
import { type FsError, toFsError } from '@cairnfs/base';
import { sealed } from './admission.ts';
import type { MutationCall } from './mutation-call.ts';
import type { MutationContext } from './mutation-context.ts';

/**
 * Settles a mutation that gets no lease here. Of a closed chunk any member that has nothing uncommitted knows what became
 * of an operation.
 *
 * @param error why there is no lease.
 */
export function answerWithoutLease(context: MutationContext, call: MutationCall, error: FsError): void {
  const { handle, operation, version } = call.request;
  const replica = context.replicas.find(handle);
  try {
    const isCertain = error.kind === 'NOT_PRIMARY' && context.mayServe();
    if (replica === undefined || !isCertain || replica.log.staged.length > 0) throw error;
    replica.log.checkVersion(version);
    const earlier = operation === undefined ? undefined : replica.operations.lookup(operation);
    const { committedLength } = replica.log;
    if (earlier !== undefined) call.repeat({ offset: earlier.offset, sequence: earlier.sequence, committedLength });
    else if (replica.log.isSealed && grows(call, committedLength)) throw sealed(handle);
    else throw error;
  } catch (refusal) {
    call.fail(toFsError(refusal));
  }
}

function grows({ request }: MutationCall, length: number): boolean {
  return request.writeAt === undefined || request.writeAt + request.bytes.length > length;
}
