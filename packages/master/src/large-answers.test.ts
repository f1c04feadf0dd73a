import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { type CallContext, FRAME_MESSAGE_BYTES_MAX, MasterMethods } from '@cairnfs/protocol';
import { bytesOfCheck, bytesOfList, bytesOfLocate, bytesOfPlan, withRoom } from './large-answers.ts';
import { ANSWER_BYTES_SMALL } from './limits.ts';
import { TestMaster } from './testing/test-master.ts';

const list = { directory: undefined, prefix: '', cursor: '', limit: 0, withAttributes: false };
const LIMIT_MAX = 2 ** 32 - 1;

test('large answers: their handler runs when there is room, small ones wait for none', async () => {
  const asked: number[] = [];
  let granted = (): void => {};
  const context = {
    room: (bytes: number) => {
      asked.push(bytes);
      return new Promise<void>((resolve) => {
        granted = resolve;
      });
    },
  } as unknown as CallContext;
  let handled = 0;
  const handler = withRoom<{ bytes: number }, object>(
    ({ bytes }) => bytes,
    () => {
      handled += 1;
      return { message: {} };
    },
  );
  handler({ bytes: ANSWER_BYTES_SMALL }, context);
  deepEqual([handled, asked], [1, []]);
  const answer = handler({ bytes: ANSWER_BYTES_SMALL + 1 }, context);
  equal(handled, 1);
  granted();
  await answer;
  deepEqual([handled, asked], [2, [ANSWER_BYTES_SMALL + 1]]);
});

test('large answers: none asks for more than a frame takes, whatever its request says', () => {
  const most = [
    bytesOfList({ ...list, limit: LIMIT_MAX }),
    bytesOfLocate({ file: undefined, offset: 0, length: 0, limit: LIMIT_MAX }),
    bytesOfCheck({ path: '/', cursor: '', limit: LIMIT_MAX }),
    bytesOfPlan({ chunkCount: LIMIT_MAX }),
  ];
  for (const bytes of most) ok(bytes > ANSWER_BYTES_SMALL && bytes <= FRAME_MESSAGE_BYTES_MAX, `${bytes} bytes`);
});

test('large answers: a page of long names is no larger than the room taken for it', async () => {
  const master = await TestMaster.start(0);
  for (let index = 0; index < 300; index += 1) await master.create(`/${String(index).padStart(250, 'n')}`);
  for (const withAttributes of [false, true]) {
    const request = { ...list, directory: { path: '/', inode: 0 }, limit: 300, withAttributes };
    const page = await master.call(MasterMethods.list, request);
    equal(page.entries.length, 300);
    const bytes = MasterMethods.list.response.encode(page).finish().length;
    ok(bytes <= bytesOfList(request), `${bytes} bytes, ${bytesOfList(request)} were taken`);
  }
});
