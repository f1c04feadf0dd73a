import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AnswerRoom, type AnswerShare } from './answer-room.ts';

const noted = (list: string[], name: string) => () => void list.push(name);

test('room: a share takes no more than is free besides, so that another finds as much', () => {
  const room = new AnswerRoom({ bytesMax: 100, shareBytesMax: 80 });
  const [slow, other] = [room.share(), room.share()];
  const granted: string[] = [];
  for (let index = 0; index < 10; index += 1) slow.reserve(10, noted(granted, `slow ${index}`));
  assert.equal(slow.heldBytes, 50);
  assert.equal(other.reserve(40, noted(granted, 'other')), undefined);
  assert.deepEqual([granted, room.isShort, room.heldBytes], [[], false, 90]);
  other.release(40);
  slow.release(20);
  assert.deepEqual([granted, slow.heldBytes], [['slow 5', 'slow 6'], 50]);
});

test('room: what comes free is kept for a first in line that holds nothing, and the others come in turn', () => {
  const room = new AnswerRoom({ bytesMax: 100, shareBytesMax: 100 });
  const granted: string[] = [];
  const [busy, large, small] = [room.share(), room.share(), room.share()];
  busy.take(95);
  large.reserve(50, noted(granted, 'large'));
  small.reserve(5, noted(granted, 'small'));
  small.reserve(5, noted(granted, 'small again'));
  busy.reserve(1, noted(granted, 'busy'));
  assert.equal(room.isShort, true);
  busy.release(25);
  assert.deepEqual(granted, []);
  busy.release(20);
  assert.deepEqual([granted, room.isShort], [['large'], true]);
  busy.release(50);
  assert.deepEqual(granted, ['large', 'small', 'busy', 'small again']);
});

test('room: one alone is granted whatever its size, and one that is cancelled leaves its place', () => {
  const room = new AnswerRoom({ bytesMax: 10, shareBytesMax: 10 });
  const granted: string[] = [];
  const [first, second, third] = [room.share(), room.share(), room.share()];
  assert.equal(first.reserve(1000, noted(granted, 'first')), undefined);
  const waiting = second.reserve(1000, noted(granted, 'second'));
  third.reserve(5, noted(granted, 'third'));
  waiting!.cancel();
  first.release(1000);
  waiting!.cancel();
  assert.deepEqual([granted, room.heldBytes, second.isIdle], [['third'], 5, true]);
});

test('room: it is never exceeded, and everybody has their turn', () => {
  const [bytesMax, shareBytesMax, size] = [1000, 300, 200];
  fc.assert(
    fc.property(
      fc.array(fc.record({ share: fc.nat(9), bytes: fc.integer({ min: 1, max: size }), release: fc.nat(3) }), {
        maxLength: 300,
      }),
      (steps) => {
        const room = new AnswerRoom({ bytesMax, shareBytesMax });
        const shares = Array.from({ length: 10 }, () => room.share());
        const held: { share: AnswerShare; bytes: number }[] = [];
        let [asked, granted] = [0, 0];
        const check = () => {
          assert.ok(room.heldBytes <= bytesMax);
          for (const share of shares) assert.ok(share.heldBytes <= shareBytesMax);
        };
        for (const { share: index, bytes, release } of steps) {
          const share = shares[index]!;
          const hold = () => {
            granted += 1;
            held.push({ share, bytes });
          };
          asked += 1;
          if (share.reserve(bytes, hold) === undefined) hold();
          check();
          for (let count = 0; count < release && held.length > 0; count += 1) {
            const { share: of, bytes: freed } = held.splice((index * 7 + count) % held.length, 1)[0]!;
            of.release(freed);
            check();
          }
        }
        while (held.length > 0) {
          const { share, bytes } = held.pop()!;
          share.release(bytes);
          check();
        }
        assert.deepEqual([granted, room.heldBytes], [asked, 0]);
      },
    ),
    { numRuns: 300, seed: 1 },
  );
});
