#!/usr/bin/env node
// The launcher is committed so that npm can link it before the first build. It is CommonJS (package.json beside it),
// because the size of libuv's thread pool counts when the pool is first used, which loading an ES module does.
const { existsSync, readFileSync } = require('node:fs');
const { join } = require('node:path');

/**
 * All disks of a chunkserver share the pool: up to 5 threads for the operations of each (DEVICE_OPERATIONS_MAX in
 * packages/runtime), and one for the commits of its index.
 */
const THREADS_FOR_A_DISK = 6;
/** For everything else as many as Node has without us. An idle thread takes some 10 KiB. */
const OTHER_THREADS = 4;

if (process.argv[2] === 'chunkserver') {
  const disks = countDisks(process.argv.slice(3));
  // One disk holds up no other, and where there are fewer threads than operations, each finds the next one without being woken.
  if (disks > 1) process.env.UV_THREADPOOL_SIZE ??= String(disks * THREADS_FOR_A_DISK + OTHER_THREADS);
}

/**
 * How many disks the configuration names, from its text: what reads it properly is an ES module. Where that cannot be told
 * the disks share the threads that there are.
 */
function countDisks(args) {
  const at = args.findIndex((arg) => /^--config(=|$)/.test(arg));
  const path = at < 0 ? undefined : (args[at].split('=')[1] ?? args[at + 1]);
  const texts = [...args, `disks=${process.env.CAIRN_CONFIG_DISKS ?? ''}`];
  try {
    if (path !== undefined) texts.push(readFileSync(path, 'utf8'));
  } catch {
    // The server says what is wrong with it.
  }
  const counts = texts.map((text) => {
    const list = /(?:^|\n)(?:--set=)?["']?disks["']?[ \t]*[=:]\s*\[([^\]]*)\]/.exec(text)?.[1].split(',');
    const lines = /(?:^|\n)disks:[ \t]*((?:\r?\n[ \t]*-[^\n]*)+)/.exec(text)?.[1].split(/\n[ \t]*-/);
    return [...(list ?? []), ...(lines ?? [])].filter((item) => item.trim() !== '').length;
  });
  return Math.max(...counts);
}

if (existsSync(join(__dirname, '../dist/bin.js'))) {
  import('../dist/bin.js');
} else {
  console.error('cairn: not built yet: run "npm run build" in the checkout first');
  process.exitCode = 1;
}
