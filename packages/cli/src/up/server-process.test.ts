import { equal, match, ok } from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type ServerExit, ServerProcess } from './server-process.ts';

/** A server that does nothing, in a folder of its own. */
async function supervised(context: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'cairnfs-server-process-'));
  const launcher = join(folder, 'launcher.cjs');
  await writeFile(launcher, 'process.stdin.resume();');
  await mkdir(join(folder, 'logs'));
  const exits: ServerExit[] = [];
  let told = () => {};
  const server = new ServerProcess({
    name: 'server',
    arguments: [],
    launcher,
    logPath: join(folder, 'logs', 'server.log'),
    restart: true,
    onExit: (exit) => {
      exits.push(exit);
      told();
    },
  });
  context.after(async () => {
    await server.stop();
    await rm(folder, { recursive: true });
  });
  const exit = () => new Promise<void>((resolve) => (told = resolve));
  return { folder, server, exits, exit };
}

test('server process: one that dies is started again, also when its log was put away, or cannot be written', async (context) => {
  const { folder, server, exits, exit } = await supervised(context);
  server.start();
  const logs = join(folder, 'logs');
  await rm(logs, { recursive: true });
  const died = exit();
  process.kill(server.pid!, 'SIGKILL');
  await died;
  equal(exits[0]!.reason, 'was ended by SIGKILL');
  equal(exits[0]!.said, undefined);
  await writeFile(logs, 'a file is in the way');
  await exit();
  match(exits[1]!.reason, /^could not be started: EEXIST/);
  equal(server.pid, undefined);
  await rm(logs);
  await new Promise((resolve) => setTimeout(resolve, exits[1]!.restartInMs! + 100));
  equal(exits.length, 2);
  ok(server.pid !== undefined);
});
