/**
 * Brings a checkout to the point where everything runs: packages installed, code compiled. Does only what is missing,
 * says what it does, and takes well under a second when nothing is.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const NODE_MAJOR_MIN = 20;

if (Number(process.versions.node.split('.')[0]) < NODE_MAJOR_MIN) {
  fail(`Node ${process.versions.node} is too old: CairnFS needs Node ${NODE_MAJOR_MIN} or newer`);
}
installPackages();
compile();

function installPackages() {
  const stamp = join(root, 'node_modules', '.cairnfs-installed');
  const wanted = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  // Not `npm ci`: that refuses a lock file in which a registry that lacks some platform's binaries left them out.
  const options = ['--no-save', '--no-audit', '--no-fund', '--loglevel=error'];
  run('installing packages (npm install)', 'npm', ['install', ...options]);
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, wanted);
}

function compile() {
  // tsc -b compares time stamps itself and returns at once when nothing changed.
  run('compiling (tsc -b)', process.execPath, [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-b']);
}

function run(what, command, args) {
  console.error(`setup: ${what}`);
  const started = Date.now();
  const result = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2] });
  if (result.error) fail(`${what}: ${result.error.message}`);
  if (result.status !== 0) fail(`${what} failed with exit code ${result.status}; the lines above say why`);
  console.error(`setup: ${what}: done in ${((Date.now() - started) / 1000).toFixed(1)} s`);
}

function fail(message) {
  console.error(`setup: ${message}`);
  process.exit(1);
}
