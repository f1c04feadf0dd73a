/** Runs `final-process.ts` and takes what it prints. */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Placement } from '../harness/placement.ts';
import type { ClientConfig } from './client-config.ts';

const PROGRAM = fileURLToPath(new URL('./final-process.js', import.meta.url));
const LIMIT_MS = 300_000;

export interface FinalReading {
  readonly config: ClientConfig;
  readonly placement: Placement;
  readonly signal: AbortSignal;
}

/** @throws the signal's reason when it aborts. */
export async function readAll({ config, placement, signal }: FinalReading): Promise<{ exit: string; lines: string }> {
  const path = join(config.folder, `${config.name}.json`);
  writeFileSync(path, JSON.stringify(config));
  const { command, args } = placement.place('admin', [process.execPath, PROGRAM, path]);
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const pieces: Buffer[] = [];
  child.stdout.on('data', (piece: Buffer) => pieces.push(piece));
  const end = () => child.kill('SIGKILL');
  signal.addEventListener('abort', end);
  const timer = setTimeout(end, LIMIT_MS);
  const exit = await new Promise<string>((resolve) => {
    child.once('close', (code, by) => resolve(by ?? `exit code ${code}`));
  });
  clearTimeout(timer);
  signal.removeEventListener('abort', end);
  signal.throwIfAborted();
  return { exit, lines: Buffer.concat(pieces).toString().trim() };
}
