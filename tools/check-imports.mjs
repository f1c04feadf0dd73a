/**
 * Checks what the compiler does not: who imports whom, no cycles between files, and that code which must run on the
 * seams reaches for no clock, timer, randomness, file or socket of its own (docs/decisions/0001-seams.md).
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Package → the packages its code may import. Arrows never turn back. */
const MAY_IMPORT = {
  base: [],
  protocol: ['base'],
  storage: ['base'],
  master: ['base', 'protocol', 'storage'],
  chunkserver: ['base', 'protocol', 'storage'],
  client: ['base', 'protocol', 'runtime'],
  runtime: ['base'],
  server: ['base', 'protocol', 'master', 'chunkserver', 'runtime'],
  sim: ['base'],
  simulation: ['base', 'protocol', 'storage', 'master', 'chunkserver', 'client', 'server', 'sim'],
  cli: ['base', 'protocol', 'storage', 'master', 'chunkserver', 'client', 'client/node', 'runtime', 'server'],
};

/** What tests beside the code may import besides. */
const IN_TESTS = ['base/contract', 'sim'];

/** Packages that run under the simulator: everything from outside comes through the seams. */
const ON_SEAMS = ['base', 'protocol', 'storage', 'master', 'chunkserver', 'client'];

const FORBIDDEN = [
  [/\bDate\s*\.\s*now\b|\bnew Date\(\s*\)/, 'Date: use clock.wallMs()'],
  [/\bperformance\s*\./, 'performance: use clock.nowMs()'],
  [/\bMath\s*\.\s*random\b/, 'Math.random: use random'],
  [/\b(setTimeout|setInterval|setImmediate)\s*\(/, 'timers: use clock.after() or clock.soon()'],
  [/\bprocess\s*\.\s*(nextTick|hrtime|env|on|exit)\b/, 'process: use the seams'],
  [/\bfrom\s+['"]node:/, 'node: modules: use the seams'],
  [/\bfetch\s*\(/, 'fetch: use the network seam', /^client\//],
  [/\bcrypto\s*\.\s*(subtle|getRandomValues|randomUUID)\b/, 'crypto: use random'],
  [/\bWeakRef\b|\bFinalizationRegistry\b/, 'garbage collection is not deterministic'],
];

/** The rim of the SDK: adapters to Node's own types, handed to the core as seams. */
const RIM = [/^client\/src\/node\.ts$/, /^client\/src\/streams\.ts$/, /^client\/src\/local\/node-/];

const problems = [];
const graph = new Map();

for (const name of readdirSync(join(root, 'packages'))) {
  if (!Object.hasOwn(MAY_IMPORT, name)) problems.push(`packages/${name}: say in check-imports.mjs what it may import`);
  else for (const path of sources(join(root, 'packages', name, 'src'))) checkFile(name, path);
}
checkCycles();
if (problems.length > 0) {
  for (const problem of problems) console.error(problem);
  console.error(`check-imports: ${problems.length} problem(s)`);
  process.exit(1);
}
console.error(`check-imports: ${graph.size} files, directions and seams hold`);

function checkFile(name, path) {
  const shown = relative(join(root, 'packages'), path);
  const text = stripComments(readFileSync(path, 'utf8'));
  const isTest = /\.test\.ts$|\/testing\/|\/contract\//.test(path);
  const edges = [];
  graph.set(path, edges);
  for (const [, typeOnly, specifier] of text.matchAll(
    /^(?:import|export)\s(\s*type\s)?[^'"]*?from\s+['"]([^'"]+)['"]/gms,
  )) {
    if (specifier.startsWith('.')) {
      const target = normalize(join(dirname(path), specifier));
      if (relative(join(root, 'packages', name, 'src'), target).startsWith('..')) {
        problems.push(`${shown}: ${specifier} leaves its package: import @cairnfs/... instead`);
      } else if (!typeOnly) edges.push(target);
    } else if (specifier.startsWith('@cairnfs/')) {
      const target = specifier.slice('@cairnfs/'.length);
      const allowed = MAY_IMPORT[name].includes(target) || (isTest && IN_TESTS.includes(target));
      if (!allowed) problems.push(`${shown}: ${name} must not import ${target}`);
    }
  }
  if (!ON_SEAMS.includes(name) || isTest || RIM.some((pattern) => pattern.test(shown))) return;
  for (const [pattern, reason, exempt] of FORBIDDEN) {
    const match = pattern.exec(text);
    if (match && !exempt?.test(shown)) problems.push(`${shown}: ${match[0].trim()} — ${reason}`);
  }
}

/** Files that import each other in a circle have no order in which they can be read. */
function checkCycles() {
  const done = new Set();
  const stack = [];
  const visit = (path) => {
    if (done.has(path)) return;
    const at = stack.indexOf(path);
    if (at >= 0) {
      const cycle = [...stack.slice(at), path].map((file) => relative(join(root, 'packages'), file));
      problems.push(`import cycle: ${cycle.join(' -> ')}`);
      return;
    }
    stack.push(path);
    for (const next of graph.get(path) ?? []) visit(next);
    stack.pop();
    done.add(path);
  };
  for (const path of graph.keys()) visit(path);
}

function* sources(directory) {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory() && entry.name !== 'gen') yield* sources(path);
    else if (entry.isFile() && entry.name.endsWith('.ts')) yield path;
  }
}

function stripComments(text) {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
}
