/** Operation ids as they come over the wire. */
import { FsError } from '@cairnfs/base';
import type { OperationId } from '@cairnfs/protocol';
import type { Operation } from './operation-table.ts';

const CLIENT_BYTES = 16;

/** @throws FsError INVALID_ARGUMENT when the client is not 16 bytes or the number below 1. */
export function readOperation(id: OperationId | undefined): Operation | undefined {
  if (id === undefined) return undefined;
  const { client, number, settledBelow } = id;
  if (client.length !== CLIENT_BYTES || number < 1) {
    throw new FsError(
      'INVALID_ARGUMENT',
      `operation ${number} of a client id of ${client.length} bytes: the id has ${CLIENT_BYTES}, numbers count from 1`,
    );
  }
  return {
    client: Buffer.from(client.buffer, client.byteOffset, client.length).toString('latin1'),
    number,
    settledBelow,
  };
}

export function writeOperation({ client, number, settledBelow }: Operation): OperationId {
  return { client: Buffer.from(client, 'latin1'), number, settledBelow };
}
