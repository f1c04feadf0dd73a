import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { FRAME_HEADER_BYTES, FrameKind, MasterMethods, type StatReply } from '@cairnfs/protocol';
import { SimulatedCluster } from '../cluster/simulated-cluster.ts';
import { FrameCutter } from './frame-cutter.ts';
import { requestOf, responseOf, type WireFrame, WireTap } from './wire-tap.ts';

test('frame cutter: bytes cut anywhere give the same frames, and raw data is skipped', () => {
  const stream = Buffer.concat([
    Buffer.from('CAIRNFS\n'),
    frame({ requestId: 1, message: Uint8Array.of(1, 2, 3), dataBytes: 70 }),
    frame({ requestId: 2, message: new Uint8Array(0), dataBytes: 0 }),
    frame({ requestId: 3, message: Uint8Array.of(4), dataBytes: 5 }),
  ]);
  const whole = new FrameCutter().push(stream);
  deepEqual(
    whole.map(({ requestId, message, dataBytes }) => [requestId, [...message], dataBytes]),
    [
      [1, [1, 2, 3], 70],
      [2, [], 0],
      [3, [4], 5],
    ],
  );
  equal(whole.at(-1)!.end, stream.length);
  for (const step of [9, 27, 28, 31, 40]) {
    const cutter = new FrameCutter();
    const frames = [...cutter.push(stream.subarray(0, 8))];
    for (let at = 8; at < stream.length; at += step) frames.push(...cutter.push(stream.subarray(at, at + step)));
    deepEqual(frames, whole, `pieces of ${step} bytes`);
  }
});

test('frame cutter: what it keeps outlives the buffers it came in', () => {
  const stream = Buffer.concat([
    frame({ requestId: 1, message: Uint8Array.of(1, 2, 3), dataBytes: 0 }),
    frame({ requestId: 2, message: Uint8Array.of(4, 5, 6), dataBytes: 0 }),
  ]);
  const cutter = new FrameCutter();
  const frames = [40, stream.length].flatMap((end, index) => {
    const buffer = Buffer.from(stream.subarray(index * 40, end));
    const cut = cutter.push(buffer);
    buffer.fill(0xee);
    return cut;
  });
  deepEqual(
    frames.map(({ requestId, message }) => [requestId, [...message]]),
    [
      [1, [1, 2, 3]],
      [2, [4, 5, 6]],
    ],
  );
});

test('wire tap: a call is seen with its request, its answer and when both arrived, and changes nothing', async () => {
  const sent: WireFrame[] = [];
  const arrived: WireFrame[] = [];
  const run = async (isTapped: boolean) => {
    const cluster = await SimulatedCluster.start({ seed: 5, chunkservers: 3 });
    const { simulation } = cluster;
    if (isTapped) {
      const listener = { sent: (one: WireFrame) => sent.push(one), arrived: (one: WireFrame) => arrived.push(one) };
      simulation.network.tap = new WireTap(() => simulation.nowMs, [listener]);
    }
    const client = cluster.client('reader');
    await cluster.run(() => client.mkdir('/d'));
    await cluster.run(() => client.stat('/d'));
    return `${simulation.trace.hash}:${simulation.eventCount}`;
  };
  const tapped = await run(true);
  equal(await run(false), tapped);
  const answer = sent.find((one) => responseOf(one, MasterMethods.stat) !== undefined)!;
  equal(`${answer.from} to ${answer.to}`, 'master to reader');
  equal(requestOf(answer, MasterMethods.stat)!.file!.path, '/d');
  equal((answer.message as StatReply).attributes!.entryCount, 0);
  equal(arrived.includes(answer.call.request) && arrived.includes(answer), true);
});

function frame({
  requestId,
  message,
  dataBytes,
}: {
  requestId: number;
  message: Uint8Array;
  dataBytes: number;
}): Uint8Array {
  const bytes = Buffer.alloc(FRAME_HEADER_BYTES + message.length + dataBytes);
  bytes.writeUInt32LE(message.length, 0);
  bytes.writeUInt32LE(dataBytes, 4);
  bytes.writeUInt32LE(requestId, 8);
  bytes.writeUInt16LE(MasterMethods.stat.id, 12);
  bytes[14] = FrameKind.request;
  bytes[15] = dataBytes > 0 ? 1 : 0;
  bytes.set(message, FRAME_HEADER_BYTES);
  return bytes;
}
