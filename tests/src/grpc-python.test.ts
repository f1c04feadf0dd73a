import { match } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { TestCluster } from './harness/cluster.ts';

const PROTOS = fileURLToPath(new URL('../../packages/protocol/proto', import.meta.url));
const README = fileURLToPath(new URL('../../README.md', import.meta.url));
const PROGRAM = fileURLToPath(new URL('../python/client.py', import.meta.url));

test('gRPC: a Python program with only the .proto files creates, uploads, lists, downloads, appends and deletes', {
  timeout: 180_000,
}, async () => {
  const cluster = await TestCluster.start();
  try {
    const generated = join(cluster.directory, 'generated');
    mkdirSync(generated);
    const files = ['common', 'master', 'chunkserver'].map((name) => `cairn/v1/${name}.proto`);
    execFileSync('protoc', [`--proto_path=${PROTOS}`, `--python_out=${generated}`, ...files]);
    const output = execFileSync('/usr/bin/python3', [PROGRAM, cluster.masterAddress, generated], { encoding: 'utf8' });
    match(output, /ok: stat of a deleted file fails/);

    // The example of the README, as it stands there but for the address.
    await cluster.run(['mkdir', '/shown-by-example']);
    const example = /^```python\n(.*?)^```$/ms.exec(readFileSync(README, 'utf8'))![1]!;
    const program = join(generated, 'example.py');
    writeFileSync(program, example.replace('127.0.0.1:9000', cluster.masterAddress));
    match(execFileSync('/usr/bin/python3', [program], { encoding: 'utf8' }), /^shown-by-example$/m);
  } finally {
    await cluster.close();
  }
});
