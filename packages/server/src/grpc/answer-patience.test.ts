import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock, Log } from '@cairnfs/base';
import {
  ANSWERS_LOOKED_AT_MS,
  ANSWERS_TAKEN_BYTES_MIN,
  ANSWERS_UNTAKEN_LOOKS_SHORT,
  ANSWERS_UNTAKEN_MS_MAX,
  createRpcServer,
} from '@cairnfs/protocol';
import { AnswerPatience } from './answer-patience.ts';

const LOOKS_MAX = ANSWERS_UNTAKEN_MS_MAX / ANSWERS_LOOKED_AT_MS;
const log: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };

/** One call's answer, of a connection that sends as it is told. */
function fixture() {
  let due: (() => void) | undefined;
  const clock = {
    nowMs: () => 0,
    wallMs: () => 0,
    after(delayMs: number, callback: () => void) {
      equal(delayMs, ANSWERS_LOOKED_AT_MS);
      due = callback;
      return {
        cancel: () => {
          due = undefined;
        },
      };
    },
  } as unknown as Clock;
  const server = createRpcServer({ clock, log, limits: { answerBytesMax: 100, answerShareBytesMax: 100 } });
  const share = server.answerShare();
  share.take(100);
  let sentBytes = 0;
  const drops: string[] = [];
  const drop = (reason: string): void => void drops.push(reason);
  const patience = new AnswerPatience({ clock, share, sentBytes: () => sentBytes, drop });
  patience.begin();
  /** Looks so often, before each of which so much was sent. */
  const look = (times: number, bytesEach: number): number => {
    for (let count = 0; count < times; count += 1) {
      sentBytes += bytesEach;
      due?.();
    }
    return drops.length;
  };
  return { server, patience, look, drops };
}

test('answer patience: a little more than a ping now and then is not enough', () => {
  const { look, drops } = fixture();
  equal(look(LOOKS_MAX - 1, 5000), 0);
  equal(look(1, 5000), 1);
  deepEqual(drops, ['the peer took 50000 bytes of its answers in 30 s']);
});

test('answer patience: a MiB in 30 s is enough, as long as it comes', () => {
  const { look } = fixture();
  equal(look(5 * LOOKS_MAX, Math.ceil(ANSWERS_TAKEN_BYTES_MIN / LOOKS_MAX)), 0);
  // It came at the last look: from then on it counts anew.
  equal(look(LOOKS_MAX - 1, 0), 0);
  equal(look(1, 0), 1);
});

test('answer patience: a peer of 100 KB/s keeps it, though the kernel takes the next only when much of its buffer is free', () => {
  const { look } = fixture();
  const stepBytes = 1_800_000;
  const stepLooks = stepBytes / 100_000 / (ANSWERS_LOOKED_AT_MS / 1000);
  for (let steps = 0; steps < 10; steps += 1) {
    equal(look(stepLooks - 1, 0), 0);
    equal(look(1, stepBytes), 0);
  }
});

test('answer patience: while others wait for the memory of its answers, a peer is not waited for as long', () => {
  const { server, look, drops } = fixture();
  equal(look(LOOKS_MAX - 4, 5000), 0);
  // They have waited for a moment: what was not taken before was in nobody's way.
  server.answerShare().reserve(10, () => {});
  equal(look(ANSWERS_UNTAKEN_LOOKS_SHORT, 5000), 0);
  equal(look(1, 5000), 1);
  deepEqual(drops, ['the peer took 45000 bytes of its answers in 27 s']);
});

test('answer patience: each answer has its own', () => {
  const { patience, look } = fixture();
  for (let answers = 0; answers < 3; answers += 1) {
    equal(look(LOOKS_MAX - 1, 5000), 0);
    patience.end();
    equal(look(LOOKS_MAX, 0), 0);
    patience.begin();
  }
});
