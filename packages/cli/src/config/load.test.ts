import { equal, match, throws } from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { after, test } from 'node:test';
import { exampleConfig } from './example.ts';
import { loadConfig } from './load.ts';
import { chunkserverSchema, masterSchema } from './schema.ts';
import { chunkserverSettings } from './settings.ts';

const directory = mkdtempSync(join(tmpdir(), 'cairn-config-'));
after(() => rmSync(directory, { recursive: true, force: true }));

function file(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

const load = (path: string, environment: Record<string, string> = {}, flags: Record<string, string> = {}) =>
  loadConfig(masterSchema, { file: path, environment, flags });

test('configuration: the command line wins over the environment, that over the file, TOML or YAML', () => {
  const toml = file('a.toml', 'data = "/d"\nreplication = 2\ntrash_keep = "1d"\n');
  const yaml = file('a.yaml', 'data: /d\nreplication: 2\n');
  equal(load(toml).replication, 2);
  equal(load(toml).trash_keep, 86_400_000);
  equal(load(yaml).replication, 2);
  equal(load(toml, { CAIRN_CONFIG_REPLICATION: '4' }).replication, 4);
  equal(load(toml, { CAIRN_CONFIG_REPLICATION: '4' }, { replication: '5' }).replication, 5);
});

test('configuration: a mistake names file, key, value and what is allowed', () => {
  const message = (path: string, environment = {}): string => {
    try {
      load(path, environment);
    } catch (error) {
      return (error as Error).message;
    }
    return '';
  };
  const bad = file('bad.toml', 'data = "/d"\nreplication = 30\n');
  match(message(bad), /bad\.toml: replication = 30: expected a whole number from 1 to 10/);
  match(message(file('typo.toml', 'dta = "/d"\n')), /typo\.toml: unknown key 'dta': one of listen, data,/);
  match(message(file('missing.toml', '')), /data = \(missing\): expected a folder/);
  match(message(file('syntax.toml', 'data = \n')), /syntax\.toml: line 1, column \d+: \S.*[^:]$/);
  const unquoted = {
    'data = /tmp/x': 'data = "/tmp/x"',
    'data = "/d"\ntrash_keep = 3d  # long': 'trash_keep = "3d"',
    'data = "/d"\nlisten = 127.0.0.1:9000\r\nreplication = 3': 'listen = "127.0.0.1:9000"',
  };
  for (const [text, advice] of Object.entries(unquoted)) {
    const told = message(file('quotes.toml', `${text}\n`));
    equal(told.endsWith(`: text stands in quotes: ${advice}`), true, told);
  }
  match(message(file('quoted.toml', 'data = "/d" x\n')), /^(?!.*quotes)/);
  match(message(file('syntax.yaml', 'data: [\n')), /syntax\.yaml: \S.* at line \d+, column \d+$/);
  match(message(file('a.ini', '')), /ends in \.toml, \.yaml or \.yml/);
  match(
    message(file('admin.toml', 'data = "/d"\nadmin_listen = "x"\n')),
    /admin_listen = "x": .* or "off".*port is missing/,
  );
  match(message(bad, { CAIRN_CONFIG_REPLICATION: 'x' }), /environment CAIRN_CONFIG_REPLICATION: replication = "x"/);
  match(message(file('chunk.toml', 'data = "/d"\nchunk_size = "100KiB"\n')), /"128KiB" to "64MiB" in steps of 64KiB/);
  equal(load(file('small.toml', 'data = "/d"\nchunk_size = "192KiB"\n')).chunk_size, 3 * 65_536);
  match(message(join(directory, 'none.toml')), /cannot read the configuration .*none\.toml/);
});

test('configuration: a folder that is named twice, however it is written, is refused with file, key and value', () => {
  const disk = join(directory, 'disk');
  mkdirSync(disk);
  symlinkSync(disk, join(directory, 'link'));
  const loadDisks = (...disks: string[]) => {
    const path = file('disks.toml', `disks = ${JSON.stringify(disks)}\n`);
    return loadConfig(chunkserverSchema, { file: path, environment: {}, flags: {} }).disks;
  };
  const written = [disk, `${disk}/`, join(directory, 'link'), relative('.', disk), `${disk}/../disk`];
  for (const again of written) {
    throws(() => loadDisks(disk, join(directory, 'other'), again), {
      code: 'EINVAL',
      message: `${join(directory, 'disks.toml')}: disks.2 = "${again}": this is the folder of "${disk}" too: name each disk once`,
    });
  }
  // Folders that are not there yet, below one that has two names.
  throws(() => loadDisks(join(disk, 'new', 'a'), join(directory, 'link', 'new', 'a')), /disks\.1 = ".*link\/new\/a": /);
  equal(loadDisks(disk, join(disk, 'new'), join(directory, 'new')).length, 3);
});

test('configuration: the printed examples are valid', () => {
  const example = exampleConfig('master', masterSchema, {
    data: '"/d"',
    chunk_size: '"64MiB"',
    admin_listen: '"127.0.0.1:10000"',
  });
  equal(load(file('example.toml', example)).data, '/d');
  const uncommented = example.replace(/^# ([a-z_]+ = )/gm, '$1');
  equal(load(file('all.toml', uncommented)).replication, 3);
  const chunkserver = exampleConfig('chunkserver', chunkserverSchema, { disks: '["/d"]' });
  const path = file('chunkserver.toml', chunkserver);
  equal(loadConfig(chunkserverSchema, { file: path, environment: {}, flags: {} }).disks[0], '/d');
  throws(
    () => loadConfig(chunkserverSchema, { file: path, environment: {}, flags: { disks: '[]' } }),
    /at least one folder/,
  );
});

test('configuration: a chunkserver tells others an address that leads to it, not to themselves', () => {
  const settings = (set: Record<string, string>) => chunkserverSettings({ set: { disks: '["/d"]', ...set } });
  throws(() => settings({ listen: '0.0.0.0:8080' }), /^FsError: listen = "0.0.0.0:8080" .*set advertise/);
  throws(() => settings({ listen: '[::]:8080' }), /set advertise/);
  throws(() => settings({ advertise: '0.0.0.0:8080' }), /^FsError: advertise = /);
  equal(settings({ listen: '0.0.0.0:8080', advertise: '10.0.0.7:8080' }).advertise, '10.0.0.7:8080');
});
