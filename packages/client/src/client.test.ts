import { deepEqual, equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { FsError } from '@cairnfs/base';
import { CairnClient, type LocatedChunk } from './client.ts';
import { scriptedSeams } from './testing/scripted-pool.ts';

const CHUNK: LocatedChunk = {
  ...{ offset: 0, length: 4, chunkLength: 4, handle: 'h', version: 1, open: false, sequence: undefined },
  replicas: ['', 'a:1', 'b:1', 'c:1'].map((address, index) => ({
    serverId: index + 1,
    address,
    state: 'live' as const,
  })),
};

/** Its chunkservers answer as the test says. */
class ScriptedClient extends CairnClient {
  readonly asked: string[] = [];
  readonly #answer: (address: string) => AsyncGenerator<Uint8Array>;

  constructor(answer: (address: string) => AsyncGenerator<Uint8Array>) {
    super(scriptedSeams(), { masters: ['m:1'] });
    this.#answer = answer;
  }

  override async *readReplica(_: LocatedChunk, address: string): AsyncGenerator<Uint8Array> {
    this.asked.push(address);
    yield* this.#answer(address);
  }
}

async function read(client: CairnClient): Promise<number[]> {
  const bytes: number[] = [];
  for await (const piece of client.readChunk(CHUNK)) bytes.push(...piece);
  return bytes;
}

test('chunk: it is read from whichever copy is in reach', async () => {
  const client = new ScriptedClient(async function* (address) {
    if (address !== 'c:1') throw new FsError('CONNECTION_REFUSED', `cannot connect to ${address}`);
    yield Uint8Array.of(1, 2);
    yield Uint8Array.of(3, 4);
  });
  deepEqual(await read(client), [1, 2, 3, 4]);
  deepEqual(client.asked, ['a:1', 'b:1', 'c:1']);
});

test('chunk: when no copy is in reach it is told of all of them', async () => {
  const client = new ScriptedClient(async function* (address) {
    yield* [];
    throw new FsError('DEADLINE_EXCEEDED', `${address} did not answer`);
  });
  const message = 'no copy of chunk h is in reach: none of 4 (a:1, b:1, c:1)';
  await rejects(read(client), (error: FsError) => {
    equal(error.message, message);
    return error.kind === 'UNAVAILABLE' && (error.cause as Error).message === 'c:1 did not answer';
  });
});

test('chunk: what breaks off in the middle is not begun again with another copy', async () => {
  const client = new ScriptedClient(async function* () {
    yield Uint8Array.of(1, 2);
    throw new FsError('CONNECTION_LOST', 'gone');
  });
  await rejects(read(client), { kind: 'CONNECTION_LOST' });
  deepEqual(client.asked, ['a:1']);
});
