import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { makeSchedule } from '../schedule/make-schedule.ts';
import { PROFILES } from '../schedule/profiles.ts';
import { runSchedule } from '../workload/run-schedule.ts';
import { describeFields } from './describe-message.ts';
import { Story } from './story.ts';

const SCHEDULE = makeSchedule(3, { name: 'short', profile: PROFILES.short! });

test('story: tells operations, messages, logs and faults, and the run is the same with it', async () => {
  const story = new Story();
  const { traceHash } = await runSchedule(SCHEDULE, { story });
  equal((await runSchedule(SCHEDULE)).traceHash, traceHash);
  const text = story.lines.join('\n');
  match(text, /client-1 +begins #\d+ \w+ {2}planned=\d+ path=\/files/);
  match(text, /client-1 +ends #\d+ \w+ ok/);
  match(text, /client-\d +→ chunkserver-\d +#\d+ ChunkserverData.MutateChunk handle=[0-9a-f]{8} version=1/);
  match(text, /master +→ client-\d +#\d+ Master.Create REFUSED \w+ after [\d.]+ ms/);
  match(text, /master +info master serves/);
  for (const { fault } of SCHEDULE.faults) ok(text.includes(`!! ${fault.kind}`), fault.kind);
});

test('story: of a text, only what has it, answers to it, and what broke', async () => {
  const story = new Story({ of: 'master.create' });
  await runSchedule(SCHEDULE, { story });
  const other = story.lines.filter((line) => !line.includes('Master.Create') && !/!! | start | crash /.test(line));
  deepEqual(other, []);
  ok(story.lines.some((line) => line.includes('Master.Create ok')));
});

test('story: when nothing has the text, its last line says so', () => {
  const last = (of: string) => {
    const story = new Story({ of });
    story.logged({ atMs: 1, host: 'chunkserver-1', event: 'start', fields: {} });
    story.logged({ atMs: 2, host: 'chunkserver-1', event: 'info Serves', fields: {} });
    return story.lines.at(-1)!.trim();
  };
  equal(last('Nosuch'), "(nothing has 'Nosuch', in capitals or not: only starts, ends and faults are told)");
  match(last('SERVES'), /info Serves$/);
  match(last('START'), /start$/);
  match(last(''), /info Serves$/);
});

test('story: calls are numbered through to the end, and a number asked for is the whole one', async () => {
  const story = new Story({ of: '#13' });
  await runSchedule(SCHEDULE, { story });
  const told = story.lines.filter((line) => !/!! | start | crash /.test(line));
  ok(told.some((line) => / → .* #13 /.test(line)));
  deepEqual(
    told.filter((line) => !/#13\b/.test(line)),
    [],
  );
  const whole = new Story();
  await runSchedule(SCHEDULE, { story: whole });
  const requests = whole.lines.filter(
    (line) => line.includes(' → ') && !/ (ok|end|item|REFUSED|cancelled) /.test(line),
  );
  const numbers = requests.map((line) => Number(/#(\d+)/.exec(line)![1]));
  ok(requests.some((line) => / auditor +→/.test(line)));
  deepEqual(
    numbers,
    [...new Set(numbers)].sort((a, b) => a - b),
  );
});

test('story: the latest lines are kept, and how many are not is said', () => {
  const story = new Story({ linesMax: 2 });
  for (let atMs = 0; atMs < 9; atMs++)
    story.logged({ atMs: atMs * 1000, host: 'master', event: `e${atMs}`, fields: {} });
  deepEqual(
    story.lines.map((line) => line.trim()),
    ['(7 earlier lines are left out: look for less)', '7.0000  master         e7', '8.0000  master         e8'],
  );
});

test('description: leaves out what says nothing, shortens handles, lists and bytes', () => {
  equal(
    describeFields({
      handle: '950aa5a7-1111-4222-8333-444455556666',
      version: 3,
      sealed: false,
      append: true,
      kind: { $case: 'writeAt', value: 0 },
      operation: { client: new Uint8Array(16).fill(7), number: 9, settledBelow: 2 },
      data: new Uint8Array(20),
      members: [1, 2, 3, 4, 5, 6, 7],
      usage: { cpuUsedRatio: 1 },
    }),
    'handle=55556666 version=3 append writeAt=0 op=07070707/9 data=0000000000000000…(20 bytes) members=[1, 2, 3, 4, 5, 6, and 1 more]',
  );
});
