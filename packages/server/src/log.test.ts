import { equal } from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createLog } from './log.ts';

test('log: writes one JSON object a line, with the fields of its ancestors, above its level', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'cairnfs-log-'));
  const file = join(directory, 'server.log');
  const log = createLog({ level: 'info', file, fields: { server: 'master' } });
  log.debug('not written');
  log.child({ chunk: 'c1' }).warn('copy lost', { copies: 2, error: new Error('broken') });
  const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
  equal(lines.length, 1);
  const record = JSON.parse(lines[0]!);
  equal(record.msg, 'copy lost');
  equal(record.server, 'master');
  equal(record.chunk, 'c1');
  equal(record.copies, 2);
  equal(record.error.message, 'broken');
  await rm(directory, { recursive: true });
});
