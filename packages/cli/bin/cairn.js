#!/usr/bin/env node
// The launcher is committed so that npm can link it before the first build. It is CommonJS (package.json beside it),
// because the size of libuv's thread pool counts when the pool is first used, which loading an ES module does.
const { existsSync } = require('node:fs');
const { join } = require('node:path');

/**
 * All disks of a server share the pool: up to 5 threads for the operations of each (DEVICE_OPERATIONS_MAX in
 * packages/runtime) and one for the commits of its index. That is room for 10 disks, and for the 4 threads that
 * everything else has without us; with more disks each gets fewer. An idle thread takes some 10 KiB.
 */
const SERVER_POOL_THREADS = 64;
/** Other commands use one disk, and start faster without. */
const SERVERS = ['master', 'chunkserver'];

if (SERVERS.includes(process.argv[2])) process.env.UV_THREADPOOL_SIZE ??= String(SERVER_POOL_THREADS);

if (existsSync(join(__dirname, '../dist/bin.js'))) {
  import('../dist/bin.js');
} else {
  console.error('cairn: not built yet: run "npm run build" in the checkout first');
  process.exitCode = 1;
}
