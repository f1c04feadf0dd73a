#!/usr/bin/env node
// The launcher is committed so that npm can link it before the first build.
import { existsSync } from 'node:fs';

if (!existsSync(new URL('../dist/bin.js', import.meta.url))) {
  console.error('cairn: not built yet: run "npm run build" in the checkout first');
  process.exit(1);
}
await import('../dist/bin.js');
