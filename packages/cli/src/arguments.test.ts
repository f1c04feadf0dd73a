import { equal, match } from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { lossyArgument } from './arguments.ts';

const launcher = fileURLToPath(new URL('../bin/cairn.js', import.meta.url));

/** As Node hands it over, with what was typed. */
function lossy(...typed: readonly Buffer[]): string | undefined {
  const all = [Buffer.from('node'), Buffer.from('cairn.js'), ...typed];
  return lossyArgument(
    typed.map((bytes) => bytes.toString()),
    () => all,
  );
}

test('arguments: one that is not UTF-8 is refused, a true U+FFFD is not', () => {
  const put = Buffer.from('put');
  match(lossy(put, Buffer.from('f'), Buffer.from('/bad\xff', 'latin1'))!, /^'\/bad\ufffd' is not UTF-8: /);
  equal(lossy(put, Buffer.from('f'), Buffer.from('/good\ufffd')), undefined);
  equal(lossy(put, Buffer.from('')), undefined);
  match(lossy(Buffer.from('\ufffd'), Buffer.from('\xfe', 'latin1'))!, /^'\ufffd' is not UTF-8: /);
});

test('arguments: where it cannot be told what was typed, U+FFFD is refused', () => {
  match(lossyArgument(['stat', '/a\ufffd'], () => undefined)!, /^'\/a\ufffd' is not UTF-8, or contains U\+FFFD: /);
});

test('arguments: the command answers 2 to one that is not UTF-8', (context) => {
  if (process.platform !== 'linux') return context.skip('what was typed is not told');
  const run = (bytes: string) =>
    spawnSync('sh', ['-c', `exec "$0" "$1" ls -l "$(printf '${bytes}')"`, process.execPath, launcher], {
      encoding: 'utf8',
    });
  const refused = run('/bad\\377');
  match(refused.stderr, /^cairn: '\/bad\ufffd' is not UTF-8: [^\n]*\n$/);
  equal(refused.status, 2);
  // It gets as far as any relative path.
  match(run('bad\\357\\277\\275').stderr, /^cairn: 'bad\ufffd' is not a path in the cluster/);
});
