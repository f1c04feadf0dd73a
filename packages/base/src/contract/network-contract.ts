import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { isFsError } from '../errors.ts';
import type { Connection, Listener, Receiver } from '../seams.ts';
import { type ContractSubject, type MakeSubject, withSubject } from './subject.ts';

const CONNECT_TIMEOUT_MS = 5000;
const PIECE_BYTES = 64 * 1024;

/** Defines the tests that every `Network` must pass. */
export function networkContract(make: MakeSubject): void {
  test(
    'connection: bytes arrive whole and in order, both ways',
    withPair(make, async ({ client, server }) => {
      const sent = pattern(300_000);
      client.connection.write([sent.subarray(0, 1), sent.subarray(1, 100_000)]);
      client.connection.write([sent.subarray(100_000)]);
      server.connection.write([sent]);
      await Promise.all([server.hasBytes(sent.length), client.hasBytes(sent.length)]);
      ok(Buffer.compare(server.bytes, sent) === 0);
      ok(Buffer.compare(client.bytes, sent) === 0);
    }),
  );

  test(
    'connection: `sent` runs once for each write, in order, and the buffer is then free',
    withPair(make, async ({ client, server }) => {
      const order: number[] = [];
      const large = pattern(2_000_000);
      const small = pattern(10);
      const expected = Buffer.concat([large, small]);
      client.connection.write([large], () => {
        order.push(1);
        large.fill(0xee);
      });
      client.connection.write([small], () => {
        order.push(2);
        small.fill(0xee);
      });
      client.connection.write([], () => order.push(3));
      await server.hasBytes(expected.length);
      await client.untilDrained();
      deepEqual(order, [1, 2, 3]);
      ok(Buffer.compare(server.bytes, expected) === 0);
    }),
  );

  test(
    'connection: `queuedBytes` counts what has not left, and `drained` says when all has',
    withPair(make, async ({ client, server }) => {
      client.connection.write([pattern(1000), pattern(500)]);
      equal(client.connection.queuedBytes, 1500);
      await client.untilDrained();
      equal(client.connection.queuedBytes, 0);
      await server.hasBytes(1500);
    }),
  );

  test(
    'connection: a paused receiver gets nothing and holds the sender back, until it resumes',
    withPair(make, async ({ client, server, subject }) => {
      server.connection.pause();
      const pieces = 400; // 25 MiB: more than the kernels of both sides buffer
      for (let index = 0; index < pieces; index++) client.connection.write([pattern(PIECE_BYTES)]);
      await subject.seams.clock.sleep(50);
      // What was on its way when the pause began may still come.
      const before = server.bytes.length;
      await subject.seams.clock.sleep(50);
      equal(server.bytes.length, before);
      ok(client.connection.queuedBytes > 0);
      server.connection.resume();
      await server.hasBytes(pieces * PIECE_BYTES);
      await client.untilDrained();
      equal(client.connection.queuedBytes, 0);
    }),
  );

  test(
    'connection: nothing is read before there is a receiver',
    withSubject(make, async (subject) => {
      const { network } = subject.seams;
      const accepted: Connection[] = [];
      const listener = await network.listen(subject.listenAt, (connection) => accepted.push(connection));
      const client = new End(await network.connect(listener.address, CONNECT_TIMEOUT_MS));
      client.connection.write([pattern(5000)]);
      await client.untilDrained();
      await subject.seams.clock.sleep(20);
      const server = new End(accepted[0]!);
      await server.hasBytes(5000);
      await listener.close();
      await client.untilClosed();
    }),
  );

  test(
    'connection: a close is told to both receivers once, and what was sent before arrives',
    withPair(make, async ({ client, server, subject }) => {
      let sentCount = 0;
      client.connection.write([pattern(1000)], () => {
        sentCount += 1;
      });
      await client.untilDrained();
      client.connection.close();
      client.connection.close();
      client.connection.write([pattern(10)], () => {
        sentCount += 1;
      });
      await Promise.all([client.untilClosed(), server.untilClosed()]);
      await subject.seams.clock.sleep(20);
      equal(server.bytes.length, 1000);
      equal(sentCount, 2);
      deepEqual([client.closedCount, server.closedCount], [1, 1]);
      deepEqual([client.closeError, server.closeError], [undefined, undefined]);
    }),
  );

  test(
    'connection: `sent` of what never left runs at the close',
    withPair(make, async ({ client, server }) => {
      server.connection.pause();
      let sentCount = 0;
      for (let index = 0; index < 400; index++) {
        client.connection.write([pattern(PIECE_BYTES)], () => {
          sentCount += 1;
        });
      }
      client.connection.close();
      await client.untilClosed();
      equal(sentCount, 400);
      equal(client.connection.queuedBytes, 0);
    }),
  );

  test(
    'connection: a receiver may close from within `received`, and gets nothing afterwards',
    withPair(make, async ({ client, server, subject }) => {
      server.onReceived = () => server.connection.close();
      client.connection.write([pattern(1_000_000)]);
      await Promise.all([client.untilClosed(), server.untilClosed()]);
      const { length } = server.bytes;
      await subject.seams.clock.sleep(20);
      equal(server.bytes.length, length);
    }),
  );

  test(
    'network: a connection to where nobody listens is refused',
    withSubject(make, async (subject) => {
      const { network } = subject.seams;
      const listener = await network.listen(subject.listenAt, () => {});
      const { address } = listener;
      await listener.close();
      await rejects(network.connect(address, CONNECT_TIMEOUT_MS), (error) => isFsError(error, 'CONNECTION_REFUSED'));
      await rejects(network.connect('nonsense', CONNECT_TIMEOUT_MS), (error) => isFsError(error, 'INVALID_ARGUMENT'));
    }),
  );

  test(
    'network: one address has one listener, and is free again after its close',
    withSubject(make, async (subject) => {
      const { network } = subject.seams;
      const listener = await network.listen(subject.listenAt, () => {});
      await rejects(
        network.listen(listener.address, () => {}),
        (error) => isFsError(error, 'UNAVAILABLE'),
      );
      await listener.close();
      const again = await network.listen(listener.address, () => {});
      equal(again.address, listener.address);
      await again.close();
    }),
  );

  test(
    'listener: its close ends the connections it accepted',
    withPair(make, async ({ client, server, listener }) => {
      await listener.close();
      await Promise.all([client.untilClosed(), server.untilClosed()]);
    }),
  );
}

interface Pair {
  subject: ContractSubject;
  listener: Listener;
  client: End;
  server: End;
}

function withPair(make: MakeSubject, body: (pair: Pair) => Promise<void>): () => Promise<void> {
  return withSubject(make, async (subject) => {
    const { network } = subject.seams;
    let onAccepted: (connection: Connection) => void = () => {};
    const accepted = new Promise<Connection>((resolve) => {
      onAccepted = resolve;
    });
    const listener = await network.listen(subject.listenAt, (connection) => onAccepted(connection));
    const client = new End(await network.connect(listener.address, CONNECT_TIMEOUT_MS));
    const server = new End(await accepted);
    await body({ subject, listener, client, server });
    client.connection.close();
    server.connection.close();
    await Promise.all([client.untilClosed(), server.untilClosed()]);
    await listener.close();
  });
}

/** One end of a connection that keeps all it receives. */
class End implements Receiver {
  readonly connection: Connection;
  onReceived: () => void = () => {};
  closedCount = 0;
  closeError: Error | undefined;
  #parts: Buffer[] = [];
  readonly #lent = new Uint8Array(10_000);
  #isDrained = false;
  #waiting: { condition: () => boolean; resolve: () => void }[] = [];

  constructor(connection: Connection) {
    this.connection = connection;
    connection.receive(this);
  }

  get bytes(): Buffer {
    this.#parts = [Buffer.concat(this.#parts)];
    return this.#parts[0]!;
  }

  hasBytes(length: number): Promise<void> {
    return this.#until(() => this.#parts.reduce((sum, part) => sum + part.length, 0) >= length);
  }

  untilDrained(): Promise<void> {
    this.#isDrained = this.connection.queuedBytes === 0 && this.#isDrained;
    return this.#until(() => this.#isDrained);
  }

  untilClosed(): Promise<void> {
    return this.#until(() => this.closedCount > 0);
  }

  buffer(): Uint8Array {
    this.#checkOpen();
    return this.#lent;
  }

  received(length: number): void {
    this.#checkOpen();
    ok(length > 0 && length <= this.#lent.length);
    this.#parts.push(Buffer.from(this.#lent.subarray(0, length)));
    this.onReceived();
    this.#wake();
  }

  drained(): void {
    this.#checkOpen();
    equal(this.connection.queuedBytes, 0);
    this.#isDrained = true;
    this.#wake();
  }

  closed(error?: Error): void {
    this.closedCount += 1;
    this.closeError = error;
    this.#wake();
  }

  #until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ condition, resolve });
      this.#wake();
    });
  }

  #wake(): void {
    this.#waiting = this.#waiting.filter(({ condition, resolve }) => {
      if (!condition()) return true;
      resolve();
      return false;
    });
  }

  #checkOpen(): void {
    equal(this.closedCount, 0, 'the receiver was called after its close');
  }
}

function pattern(length: number): Uint8Array {
  return new Uint8Array(length).map((_, index) => (index * 7 + (index >> 8)) % 256);
}
