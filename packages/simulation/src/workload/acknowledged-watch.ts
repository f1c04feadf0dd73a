/** Which mutations were acknowledged, of each chunk the latest of each client, as servers send their answers. */
import { ChunkserverDataMethods } from '@cairnfs/protocol';
import type { AcknowledgedMutation } from '../cluster/retry-audit.ts';
import { answers, requestOf, responseOf, type WireFrame, type WireListener } from '../wire/wire-tap.ts';

const { mutateChunk } = ChunkserverDataMethods;

export class AcknowledgedWatch implements WireListener {
  /** By chunk, then by client. */
  readonly #latest = new Map<string, Map<string, AcknowledgedMutation>>();

  of(handle: string): readonly AcknowledgedMutation[] {
    return [...(this.#latest.get(handle)?.values() ?? [])];
  }

  sent(frame: WireFrame): void {
    if (!answers(frame, mutateChunk)) return;
    const { handle, operation } = requestOf(frame, mutateChunk)!;
    if (operation === undefined) return;
    const clients = this.#latest.get(handle) ?? new Map<string, AcknowledgedMutation>();
    this.#latest.set(handle, clients);
    const client = Buffer.from(operation.client).toString('hex');
    const before = clients.get(client);
    if (before !== undefined && before.operation.number > operation.number) return;
    clients.set(client, { operation, offset: responseOf(frame, mutateChunk)!.offset });
  }
}
