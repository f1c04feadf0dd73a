/**
 * `npm test [-- LAYER...]`: runs the layers in order (without arguments all) and stops at the first that fails.
 *
 *   check    format, lint, unused code, import directions
 *   unit     tests beside the code, every package
 *   sim      whole clusters in one process on virtual time, fixed seeds
 *   seeds    random schedules under faults in the simulator, always the same ones, with those that failed once
 *   system   real processes (the gRPC test needs Debian's python3-grpcio and protobuf-compiler: installed when missing
 *            and root)
 *   fresh    two minutes of schedules that nobody has run before: a failure names its profile, its seed and the command
 *            that runs it again
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bin = (name) => join(root, 'node_modules', '.bin', name);

/** A layer takes a few minutes; one that hangs must not hold a machine for hours. */
const LAYER_TIMEOUT_MS = 20 * 60_000;

const FRESH_MINUTES = 2;
/** In turn. */
const FRESH_PROFILES = [
  'default',
  'network',
  'crashes',
  'disks',
  'hang',
  'full',
  'few',
  'power',
  'storm',
  'kept',
  'returns',
  'leases',
  'cut',
  'names',
  'slow',
  'contended',
  'uploads',
  'load',
  'words',
  'stragglers',
  'outages',
  'newcomers',
  'copies',
  'rot',
];
/** Of each profile, from seed 1 on. */
const FIXED_SCHEDULES = {
  default: 8,
  network: 4,
  crashes: 4,
  disks: 4,
  hang: 2,
  full: 2,
  few: 2,
  power: 4,
  storm: 2,
  leases: 2,
  returns: 2,
  slow: 2,
  names: 2,
  cut: 2,
  load: 2,
  words: 2,
  stragglers: 2,
  outages: 2,
  newcomers: 2,
  copies: 5,
  rot: 4,
};
/** Schedules that failed once, and why. Another weight or draw makes others of them: one that means nothing any more goes. */
const FOUND_SCHEDULES = [
  {
    profile: 'load/short',
    seed: 213116829,
    was: 'two writes in different orders in two chunks, under a third one, passed for what no order explains (no defect)',
  },
  {
    profile: 'storm/short',
    seed: 213126142,
    was: 'a replica whose checksums had rotted was loaded again after each record that met it, and never put aside',
  },
  {
    profile: 'load/short',
    seed: 213058965,
    was: 'with little room a server was asked for its inventory again before what it had not shown was known, and no copy replaced',
  },
  {
    profile: 'load/short',
    seed: 211000040,
    was: 'a server that failed to give a copy back was asked first again each time, and no copy was made elsewhere',
  },
  {
    profile: 'disks/short',
    seed: 210000053,
    was: 'a replica found damaged when its view was installed was reported as sound, and not repaired',
  },
  {
    profile: 'disks/short',
    seed: 210000242,
    was: 'a primary that found its own entry damaged told the client that the file was, though other copies were sound',
  },
  {
    profile: 'load/short',
    seed: 212000091,
    was: 'rot that was found only when a retry was asked for passed for an operation that was forgotten (no defect)',
  },
  {
    profile: 'stragglers/short',
    seed: 197014677,
    was: 'the check of retries took a server that was out of touch, and said so, for one that had forgotten (no defect)',
  },
  {
    profile: 'stragglers',
    seed: 1795370253913,
    was: 'a truncation that was sent again waited behind another one, and was refused although its first attempt was applied',
  },
  {
    profile: 'default',
    seed: 40001544,
    was: 'a copy that was overwritten while it was on its way passed for the one that was wanted, again and again',
  },
  {
    profile: 'default',
    seed: 14000215,
    was: 'one copy of an open chunk that nobody leads could not be read by itself',
  },
  {
    profile: 'newcomers',
    seed: 1795348257019,
    was: 'after a start, a machine whose disk had been lost four times counted as most of the servers: safe mode never ended',
  },
  {
    profile: 'load',
    seed: 103013162,
    was: 'servers said of deleted chunks that they are gone when there was no room to remember it, again and again',
  },
  {
    profile: 'hang',
    seed: 174004530,
    was: 'a server that started told of a disk that does not answer only when another one had answered, which hung then',
  },
  {
    profile: 'copies',
    seed: 173001885,
    was: 'a clone that was lost after its promise, before the view with it was confirmed, was missed by nobody',
  },
  {
    profile: 'storm',
    seed: 171002051,
    was: 'the only copy of a view below the minimum was destroyed, while another server was just back: a false alarm',
  },
  {
    profile: 'cut',
    seed: 1795353834590,
    was: 'a clone that did not join answered at the address of a member that was gone, under a version that was over',
  },
  {
    profile: 'load',
    seed: 170003193,
    was: 'lost copies that only the server to do without could replace took all the room for such: a false alarm',
  },
  {
    profile: 'load/short',
    seed: 110012198,
    was: 'of a server whose connection was from before its restart no copy was read, and rot not seen: a false alarm',
  },
  {
    profile: 'load/short',
    seed: 110020372,
    was: 'where the copies are was asked for with too little patience, of a primary in the middle of a slow sync: a false alarm',
  },
  {
    profile: 'power/short',
    seed: 160021003,
    was: 'a view that went on changing while all copies were read a second time passed for copies that are missing: a false alarm',
  },
  {
    profile: 'hang/short',
    seed: 160022254,
    was: 'a copy with rot was taken back after all copies had been read, so nobody had seen it: a false alarm',
  },
  {
    profile: 'default/short',
    seed: 103009337,
    was: 'a view that changed while all copies were read at the end passed for a copy that is missing: a false alarm',
  },
  {
    profile: 'default',
    seed: 101001378,
    was: 'a record passed for another one of a single byte: a false alarm',
  },
  {
    profile: 'disks',
    seed: 101002159,
    was: 'an open chunk whose view came about late could be read at one member of three until its lease would have ended',
  },
  {
    profile: 'disks',
    seed: 100000867,
    was: 'a server that had left a view without its replica was started anew with it before the view was confirmed, and served it',
  },
  {
    profile: 'storm',
    seed: 14100100,
    was: 'the members of an empty chunk, none of which had a replica yet, counted as lost for ever',
  },
  {
    profile: 'storm',
    seed: 9100061,
    was: 'a false alarm: no place was known of an append whose begin was written over before anybody read it',
  },
  {
    profile: 'outages/short',
    seed: 224059214,
    was: 'a copy taken back and lost at once was never made again: an order to put it away waited for that',
  },
  { profile: 'default', seed: 8000395, was: 'garbage waited for a calendar that had been set back' },
  { profile: 'load', seed: 7000000, was: 'lost copies that found the queue of repair full were never replaced' },
  {
    profile: 'load',
    seed: 9100018,
    was: 'a server with slow disks began each promise of a view anew, and was late each time',
  },
  {
    profile: 'load',
    seed: 14100851,
    was: 'what a member had staged behind the end of an empty chunk kept another from joining',
  },
  {
    profile: 'load',
    seed: 24100767,
    was: 'a false alarm: the bounds that were drawn let spare uploads take all there may be',
  },
  { profile: 'load', seed: 9200009, was: 'two bytes were all that told in which order two writes reached a chunk' },
  { profile: 'load', seed: 9200017, was: 'a stale member that had promised to leave was asked to stay for ever' },
  {
    profile: 'load',
    seed: 9200054,
    was: 'a hundred lost copies, of which three at a time are known, took five minutes',
  },
  { profile: 'load', seed: 9100054, was: 'three chunks without a copy in reach kept all others from being repaired' },
  {
    profile: 'load',
    seed: 9210002,
    was: 'copies were sent to the sick server again and again, the others waited for it',
  },
  {
    profile: 'load',
    seed: 9210032,
    was: 'chunks with one copy waited behind others, or for a server that never put its stale copy away',
  },
  {
    profile: 'load',
    seed: 36,
    was: 'a false alarm: a rotten copy was never read, since its server had no lease when it was asked',
  },
  { profile: 'disks', seed: 7200024, was: 'a chunk deleted while a view of it was pending was never collected' },
  { profile: 'disks', seed: 4100025, was: 'a write behind the end moved it before its bytes were there' },
  { profile: 'storm', seed: 950007, was: 'an empty closed chunk waited for ever for a member whose disk was lost' },
  { profile: 'disks', seed: 930015, was: 'a server that came back under a new number was taken for two' },
  { profile: 'disks', seed: 930021, was: 'disks out of service on all members made a chunk empty' },
  {
    profile: 'default',
    seed: 1200076,
    was: 'a primary back without its disk counted as a copy of what it had just written',
  },
  { profile: 'disks', seed: 3100246, was: 'uploads of servers that had registered anew were taken for lost' },
  { profile: 'default', seed: 3000008, was: 'each call to a machine lost without a word was too short to notice' },
  { profile: 'storm', seed: 950230, was: 'the last member was lost while a left out one came back with all the bytes' },
  {
    profile: 'default',
    seed: 1000320,
    was: 'the last member was rotten while a left out one came back with all the bytes',
  },
  { profile: 'storm', seed: 10100053, was: 'a server that never learned its number was to answer calls that named it' },
  { profile: 'hang', seed: 77044, was: 'a refusal told of names that were never durable' },
  {
    profile: 'hang',
    seed: 78001,
    was: 'a deleted chunk waited for ever for a member told of an end that was not durable',
  },
  { profile: 'disks', seed: 1100078, was: 'a chunk never written waited for ever for a member whose disk was lost' },
  {
    profile: 'words',
    seed: 170003562,
    was: 'the check of files forgot where one of hundreds of appends may have ended, and took a cut write for a lost one',
  },
  {
    profile: 'stragglers',
    seed: 175004620,
    was: 'a view that was late on its way made an empty replica of an old version where one that had promised to leave was gone',
  },
  {
    profile: 'newcomers/short',
    seed: 182002559,
    was: 'the check of files took a read for wrong that saw the last chunk before a truncation and the first after a later write',
  },
  {
    profile: 'power/short',
    seed: 182055304,
    was: 'a chunk whose members all lost power between the beginning of their replicas and their view was stuck as one with old copies',
  },
  {
    profile: 'outages',
    seed: 176006924,
    was: 'the last copy of a chunk, on the disk that its server had kept, was taken for destroyed with the other, and so not spared',
  },
];

/** Each of them has work for two cores all the time; the others mostly wait, for leases to run out and servers to start. */
const BUSY_SYSTEM_TESTS = ['large-directory', 'many-clients', 'real-tree'];

const LAYERS = {
  check() {
    run('format and lint', bin('biome'), ['check', '.']);
    run('unused code', bin('knip'), []);
    run('import directions', process.execPath, ['tools/check-imports.mjs']);
  },
  unit() {
    runTests(
      'unit tests',
      findTests('packages', (path) => !path.startsWith('packages/simulation/')),
      ['--test-concurrency=2'],
    );
  },
  sim() {
    runTests('simulated clusters', findTests('packages/simulation/dist'), ['--test-concurrency=2']);
  },
  seeds() {
    const fixed = Object.entries(FIXED_SCHEDULES).flatMap(([profile, count]) =>
      Array.from({ length: count }, (_, index) => ({ profile, seed: 1 + index })),
    );
    const named = [...fixed, ...FOUND_SCHEDULES].map(({ profile, seed }) => `${profile}:${seed}`);
    runSimulator(
      `${named.length} schedules`,
      named.flatMap((name) => ['--schedule', name]),
    );
  },
  system() {
    installPythonGrpc();
    // Each runs a cluster of its own, and the machine may have two cores.
    const files = findTests('tests/dist');
    const isBusy = (path) => BUSY_SYSTEM_TESTS.some((name) => path.endsWith(`/${name}.test.js`));
    runTests(
      'system tests',
      files.filter((path) => !isBusy(path)),
      ['--test-concurrency=2'],
    );
    runTests('busy system tests', files.filter(isBusy), ['--test-concurrency=1']);
  },
  fresh() {
    runSimulator(`${FRESH_MINUTES} minutes of fresh schedules`, [
      ...['--minutes', String(FRESH_MINUTES)],
      ...['--profile', FRESH_PROFILES.join(',')],
    ]);
  },
};

const wanted = process.argv.slice(2);
for (const name of wanted) {
  if (!Object.hasOwn(LAYERS, name)) fail(`unknown layer '${name}': one of ${Object.keys(LAYERS).join(', ')}`, 2);
}
for (const [name, layer] of Object.entries(LAYERS)) {
  if (wanted.length === 0 || wanted.includes(name)) layer();
}

function findTests(folder, keep = () => true) {
  const found = [];
  const visit = (directory) => {
    for (const entry of readdirSync(join(root, directory), { withFileTypes: true })) {
      const path = `${directory}/${entry.name}`;
      if (entry.isDirectory() && entry.name !== 'node_modules' && entry.name !== 'src') visit(path);
      // A compiled test whose source is gone is left over from an earlier build.
      else if (path.endsWith('.test.js') && existsSync(join(root, sourceOf(path))) && keep(path)) found.push(path);
    }
  };
  if (existsSync(join(root, folder))) visit(folder);
  return found.sort();
}

function sourceOf(compiled) {
  return compiled.replace('/dist/', '/src/').replace(/\.js$/, '.ts');
}

function runTests(what, files, options) {
  if (files.length === 0) fail(`${what}: none found: is everything built?`);
  run(`${what} (${files.length} files)`, process.execPath, [
    '--enable-source-maps',
    '--import',
    './tools/without-test-hooks.mjs',
    '--test',
    '--test-reporter=spec',
    ...options,
    ...files,
  ]);
}

/** Prints the seed of a schedule that fails, and what runs it again. */
function runSimulator(what, args) {
  run(what, process.execPath, [
    '--enable-source-maps',
    'packages/simulation/dist/runner/main.js',
    '--workers',
    '2',
    ...args,
  ]);
}

function installPythonGrpc() {
  const packages = ['python3-grpcio', 'python3-protobuf', 'protobuf-compiler'];
  const isThere = () =>
    spawnSync('/usr/bin/python3', ['-c', 'import grpc, google.protobuf']).status === 0 &&
    spawnSync('protoc', ['--version']).status === 0;
  if (isThere()) return;
  const names = packages.join(' ');
  if (process.getuid?.() !== 0) fail(`the gRPC test needs Debian packages: sudo apt-get install ${names}`);
  console.error(`test: installing Debian's ${names}`);
  const options = { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }, stdio: ['ignore', 'ignore', 2] };
  const install = () => spawnSync('apt-get', ['install', '-y', '-qq', ...packages], options).status === 0;
  if (!install()) {
    spawnSync('apt-get', ['update', '-qq'], options);
    install();
  }
  if (!isThere()) fail(`installing ${names} failed: the lines above say why`);
}

function run(what, command, args) {
  console.error(`test: ${what}`);
  const started = Date.now();
  const result = spawnSync(command, args, { cwd: root, stdio: ['ignore', 1, 2], timeout: LAYER_TIMEOUT_MS });
  if (result.error?.code === 'ETIMEDOUT')
    fail(`${what}: ended after ${LAYER_TIMEOUT_MS / 60_000} minutes: something hangs`);
  if (result.error) fail(`${what}: ${result.error.message}`);
  if (result.status !== 0) fail(`${what} failed (exit code ${result.status})`);
  console.error(`test: ${what}: passed in ${((Date.now() - started) / 1000).toFixed(1)} s`);
}

function fail(message, exitCode = 1) {
  console.error(`test: ${message}`);
  process.exit(exitCode);
}
