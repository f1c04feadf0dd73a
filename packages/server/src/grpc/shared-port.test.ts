import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FsError, type Log } from '@cairnfs/base';
import {
  createRpcPool,
  createRpcServer,
  dataPart,
  MasterDefinition,
  MasterMethods,
  type StatReply,
} from '@cairnfs/protocol';
import { RuntimeClock, RuntimeNetwork, RuntimeRandom } from '@cairnfs/runtime';
import { Client, credentials, type ServiceError, status } from '@grpc/grpc-js';
import { createGrpcServer, methodDefinition } from './grpc-server.ts';

const log: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };
const TIMEOUT = { timeoutMs: 10_000 };

test('shared port: framed calls and gRPC calls reach the same handlers over one address', async () => {
  const clock = new RuntimeClock();
  const network = new RuntimeNetwork();
  const server = createRpcServer({ clock, log });
  server.handle(MasterMethods.stat, (request, context) => {
    if (request.file?.path === '/b') throw new FsError('NOT_FOUND', 'no such file: /b');
    context.data?.memory.retain().release();
    return { message: { attributes: undefined }, data: dataPart(context.data?.bytes.slice() ?? new Uint8Array(0)) };
  });
  const grpc = createGrpcServer({ clock, log, handlers: server });
  const listener = await network.listenShared('127.0.0.1:0', {
    framed: (connection) => server.accept(connection),
    http2: (socket) => grpc.accept(socket),
  });
  const pool = createRpcPool({ clock, log, network, random: new RuntimeRandom() });
  const channel = pool.channel(listener.address);
  const client = new Client(listener.address, credentials.createInsecure());
  const { path, requestSerialize, responseDeserialize } = methodDefinition(
    MasterDefinition.fullName,
    MasterDefinition.methods.stat,
  );
  const overGrpc = (file: string): Promise<StatReply> =>
    new Promise((resolve, reject) => {
      const request = { file: { path: file, inode: 0 } };
      client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, (error, value) =>
        error ? reject(error) : resolve(value as StatReply),
      );
    });
  try {
    for (const length of [0, 100, 70_000, 1_048_576]) {
      const bytes = new Uint8Array(length).fill(length & 0xff);
      const calls = Array.from({ length: 10 }, () =>
        channel.call(MasterMethods.stat, { file: { path: '/a', inode: 0 } }, { ...TIMEOUT, data: dataPart(bytes) }),
      );
      for (const reply of await Promise.all(calls)) {
        assert.equal(Buffer.compare(reply.data!.bytes, bytes), 0);
        reply.data!.memory.release();
      }
      assert.deepEqual(await overGrpc('/a'), { attributes: undefined });
    }
    await assert.rejects(channel.call(MasterMethods.stat, { file: { path: '/b', inode: 0 } }, TIMEOUT), {
      kind: 'NOT_FOUND',
    });
    await assert.rejects(overGrpc('/b'), (error: ServiceError) => error.code === status.NOT_FOUND);
    server.close();
    await assert.rejects(
      channel.call(MasterMethods.stat, { file: { path: '/a', inode: 0 } }, TIMEOUT),
      (error: FsError) => ['CONNECTION_LOST', 'CONNECTION_REFUSED'].includes(error.kind),
    );
  } finally {
    pool.close();
    client.close();
    server.close();
    await grpc.close();
    await listener.close();
  }
});
