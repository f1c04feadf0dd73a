import { deepEqual, equal, match } from 'node:assert/strict';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { TestCluster } from './harness/cluster.ts';

let cluster: TestCluster | undefined;
after(() => cluster?.close());

test('put, cp and get -r: a directory goes into one that is there, or becomes DST; of SRC/. the contents go into DST', {
  timeout: 120_000,
}, async () => {
  cluster = await TestCluster.start();
  const run = async (...args: string[]) => String(await cluster!.run(args));
  const local = (name: string) => join(cluster!.directory, name);
  await mkdir(local('src/below'), { recursive: true });
  for (const name of ['src/a', 'src/below/b']) await writeFile(local(name), name);

  const remote = async (path: string) =>
    (await run('find', path, '--type', 'f')).split('\n').filter((line) => line !== '');
  const fetched = async (path: string) =>
    (await readdir(local(path), { recursive: true })).filter((name) => /(^|\/)[ab]$/.test(name)).sort();

  // Each twice: what was made by the first is there for the second.
  for (const again of [false, true]) {
    await run('put', '-r', local('src'), '/named');
    deepEqual(await remote('/named'), [
      '/named/a',
      '/named/below/b',
      ...(again ? ['/named/src/a', '/named/src/below/b'] : []),
    ]);
    await run('put', '-r', `${local('src')}/.`, '/contents');
    deepEqual(await remote('/contents'), ['/contents/a', '/contents/below/b']);
    await run('put', '-r', `${local('src')}/./`, '/slashed/');
    deepEqual(await remote('/slashed'), ['/slashed/a', '/slashed/below/b']);
    await run('cp', '-r', '/contents/.', '/copied/');
    deepEqual(await remote('/copied'), ['/copied/a', '/copied/below/b']);
    await run('get', '-r', '/contents/.', local('copy'));
    deepEqual(await fetched('copy'), ['a', 'below/b']);
    await run('get', '-r', '/contents/.', `${local('slashed')}/`);
    deepEqual(await fetched('slashed'), ['a', 'below/b']);
  }
  await run('put', '-r', `${local('src')}/.`, '/');
  await run('cp', '-r', '/below/.', '/contents/.', '/copied');
  deepEqual(await remote('/copied'), ['/copied/a', '/copied/b', '/copied/below/b']);

  for (const [args, expected] of [
    [['put', `${local('src')}/.`, '/other'], /^cairn: EISDIR: [^\n]*: add -r /],
    [['put', '-r', `${local('src')}/.`, '/no/other'], /^cairn: ENOENT: there is no directory '\/no'/],
    [['cp', '-r', '/contents/.', '/contents'], /^cairn: EINVAL: [^\n]* the same file\n$/],
    [['cp', '-r', '/contents/.', '/contents/inner'], /^cairn: EINVAL: [^\n]*into itself\n$/],
    [['get', '-r', '/a/.', local('copy')], /^cairn: ENOTDIR: /],
  ] as const) {
    const { exitCode, stderr } = await cluster.cairn([...args]);
    equal(exitCode, 1, args.join(' '));
    match(stderr, expected);
  }
});
