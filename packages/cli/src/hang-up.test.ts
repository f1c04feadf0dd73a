import { equal } from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const LAUNCHER = fileURLToPath(new URL('../bin/cairn.js', import.meta.url));

/** Runs a command on a terminal, which goes away when the command has said something; tells how the command ended. */
const ON_A_TERMINAL = `
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0: os.execv(sys.argv[1], sys.argv[1:])
os.read(terminal, 1)
os.close(terminal)
status = os.waitpid(pid, 0)[1]
print(os.WTERMSIG(status) if os.WIFSIGNALED(status) else 'ended by itself')
`;
const SIGHUP = 1;

test('hang-up: a command whose terminal is gone ends by the signal, which a shell tells as 129, and does not crash', (context) => {
  if (spawnSync('python3', ['-c', 'import pty']).status !== 0) return context.skip('no python3 to make a terminal');
  // It says that it goes on trying.
  const command = [process.execPath, LAUNCHER, 'stat', '/', '--master', '127.0.0.1:1'];
  const { stdout, stderr } = spawnSync('python3', ['-c', ON_A_TERMINAL, ...command], { timeout: 30_000 });
  equal(String(stdout), `${SIGHUP}\n`, String(stderr));
});
