import { deepEqual, equal, match } from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const BIN = fileURLToPath(new URL('../bin.js', import.meta.url));

for (const args of [['--help'], ['help', 'put'], ['config', 'example', 'master']]) {
  test(`output: nobody reads what "cairn ${args.join(' ')}" prints, and that is no failure`, async () => {
    const child = spawn(process.execPath, [BIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.destroy(); // long before the first byte
    let errors = '';
    child.stderr.on('data', (text: Buffer) => {
      errors += text.toString();
    });
    deepEqual([...(await once(child, 'close')), errors], [0, null, '']);
  });
}

test('output: a full disk below it is told', { skip: !existsSync('/dev/full') }, () => {
  const { status, stderr } = spawnSync('sh', ['-c', `exec "${process.execPath}" "${BIN}" --help > /dev/full`]);
  equal(status, 1);
  match(stderr.toString(), /^cairn: .*ENOSPC/);
});
