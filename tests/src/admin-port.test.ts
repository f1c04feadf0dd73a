import { equal, match, ok } from 'node:assert/strict';
import { createServer } from 'node:net';
import { after, test } from 'node:test';
import { TestCluster } from './harness/cluster.ts';
import { freePorts } from './harness/free-ports.ts';

const KiB = 1024;
const clusters: TestCluster[] = [];
after(async () => {
  for (const cluster of clusters) await cluster.close();
});

/** Metric with its labels → value. */
async function scrape(address: string): Promise<Map<string, number>> {
  const response = await fetch(`http://${address}/metrics`);
  equal(response.status, 200);
  match(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
  const samples = (await response.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(samples.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]));
}

/** Over all labels. */
function total(metrics: Map<string, number>, name: string): number {
  const own = [...metrics].filter(([key]) => key === name || key.startsWith(`${name}{`));
  ok(own.length > 0, `there is no ${name}`);
  return own.reduce((sum, [, value]) => sum + value, 0);
}

test('admin port: every server tells its health and its numbers, which move with the work', {
  timeout: 180_000,
}, async () => {
  const [master, ...chunkservers] = (await freePorts(4)).map((port) => `127.0.0.1:${port}`);
  const admin = { master: master!, chunkservers };
  const cluster = await TestCluster.start({ admin });
  clusters.push(cluster);
  const health = await fetch(`http://${admin.master}/healthz`);
  equal(health.status, 200);
  equal(((await health.json()) as { writable: boolean }).writable, true);
  for (const address of chunkservers) {
    const response = await fetch(`http://${address}/healthz`);
    equal(response.status, 200);
    equal(((await response.json()) as { status: string }).status, 'ok');
  }
  equal((await fetch(`http://${admin.master}/`)).status, 404);
  const before = await scrape(admin.master);
  const bytes = Buffer.alloc(300 * KiB, 'x');
  await cluster.run(['put', '-', '/file'], { input: bytes });
  equal((await cluster.run(['cat', '/file'])).compare(bytes), 0);
  const later = await scrape(admin.master);
  equal(total(later, 'cairn_master_files') - total(before, 'cairn_master_files'), 1);
  equal(total(later, 'cairn_master_chunks') - total(before, 'cairn_master_chunks'), 1);
  equal(later.get('cairn_master_chunkservers{state="live"}'), 3);
  ok(total(later, 'cairn_rpc_calls_total') > total(before, 'cairn_rpc_calls_total'));
  ok(later.get('cairn_rpc_duration_seconds_bucket{method="MasterControl.Heartbeat",le="+Inf"}')! > 0);
  ok(total(later, 'process_resident_memory_bytes') > 0);
  let uploaded = 0;
  let read = 0;
  for (const address of chunkservers) {
    const metrics = await scrape(address);
    equal(total(metrics, 'cairn_chunkserver_server_lease_held'), 1);
    equal(total(metrics, 'cairn_chunkserver_disk_up'), 1);
    equal(total(metrics, 'cairn_chunkserver_chunks'), 1);
    ok(total(metrics, 'cairn_journal_bytes') > 0);
    uploaded += total(metrics, 'cairn_chunkserver_upload_bytes_total');
    read += total(metrics, 'cairn_chunkserver_read_bytes_total');
  }
  equal(uploaded, 3 * bytes.length);
  ok(read >= bytes.length);
  await cluster.signal('master', 'SIGKILL');
  await cluster.until('out of touch', async () => (await fetch(`http://${chunkservers[0]}/healthz`)).status === 503);
  match(await (await fetch(`http://${chunkservers[0]}/healthz`)).text(), /out of touch with the master/);
});

test('admin port: a server whose admin port is taken or no address says so and does not start', {
  timeout: 120_000,
}, async (t) => {
  const [listen, taken] = (await freePorts(2)).map((port) => `127.0.0.1:${port}`);
  const other = createServer();
  t.after(() => other.close()); // a listening server keeps the process alive
  await new Promise<void>((resolve) => other.listen(Number(taken!.split(':')[1]), '127.0.0.1', resolve));
  const cluster = await TestCluster.start({ chunkservers: 1, master: { minimum_copies: '1', replication: '1' } });
  clusters.push(cluster);
  const start = (admin: string) =>
    cluster.cairn([
      'master',
      ...['--set', `listen=${listen}`],
      ...['--set', `data=${cluster.dataDirectory('second')}`],
      ...['--set', `admin_listen=${admin}`],
    ]);
  const refused = await start(taken!);
  equal(refused.exitCode, 1);
  match(refused.stderr, new RegExp(`${taken} \\(another program has it.*\\): set admin_listen .*"off"`));
  const bad = await start('nowhere');
  equal(bad.exitCode, 2);
  match(bad.stderr, /admin_listen = "nowhere": expected "host:port" or "off": .*the port is missing/);
});
