/** `up`, `master`, `chunkserver`: the servers themselves, loaded when they are to run. */
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError, Option } from 'commander';
import { ADMIN_PORT_DISTANCE } from '../config/admin-listen.ts';
import type { ServerFlags } from '../config/settings.ts';
import { describeServerFailure, exitCodeOf } from '../failure.ts';
import { prepareEngine } from '../serve/engine.ts';
import { endOfLife } from '../serve/lifetime.ts';
import { wholeNumber } from './options.ts';

const LAUNCHER = fileURLToPath(new URL('../../bin/cairn.js', import.meta.url));
const PORT_DEFAULT = 9000;
/** Ports above the master's go to the chunkservers, and as many further up to the admin ports. */
const CHUNKSERVERS_MAX = 100;
const PORT_MAX = 65_535 - ADMIN_PORT_DISTANCE - CHUNKSERVERS_MAX;

interface UpFlags {
  dir: string;
  port: number;
  chunkservers?: number;
  restart: boolean;
  json?: boolean;
}

export function upCommand(): Command {
  return new Command('up')
    .addOption(new Option('--dir <dir>', 'data, configurations and logs').default('./.cairn').argParser(folderArgument))
    .addOption(
      new Option(
        '--port <port>',
        `the master's; the chunkservers take those after it; admin ports are ${ADMIN_PORT_DISTANCE} higher`,
      )
        .default(PORT_DEFAULT)
        .argParser((text) => wholeNumber(text, 1, PORT_MAX)),
    )
    .addOption(
      new Option('--chunkservers <n>', 'how many (default: 3, or as many as DIR has)').argParser((text) =>
        wholeNumber(text, 1, CHUNKSERVERS_MAX),
      ),
    )
    .option('--no-restart', 'leave a server that dies down')
    .option('--json', 'events as JSON lines; the one with "event":"ready" names the addresses')
    .addHelpText(
      'after',
      '\nPrints "ready" when writes work; Ctrl-C ends everything. Run it again on the same DIR to go on with the data.\n' +
        '\nExamples:\n  $ cairn up\n  $ cairn up --dir /data/cairn --port 19000 --chunkservers 5\n',
    )
    .action(async (flags: UpFlags) => {
      const options = {
        directory: flags.dir,
        port: flags.port,
        chunkserverCount: flags.chunkservers,
        restart: flags.restart,
        json: flags.json === true,
        launcher: LAUNCHER,
      };
      await ending(async () => {
        const { up } = await import('../up/up.ts');
        await up(options, endOfLife());
      });
    });
}

export function masterCommand(): Command {
  return serverCommand('master', ['cairn master --config master.toml']).action(async (flags: ServerFlags) => {
    await ending(async () => {
      prepareEngine();
      const { serveMaster } = await import('../serve/serve-master.ts');
      const { masterSettings } = await import('../config/settings.ts');
      await serveMaster(masterSettings(flags), endOfLife());
    });
  });
}

export function chunkserverCommand(): Command {
  return serverCommand('chunkserver', [
    'cairn chunkserver --config chunkserver.toml',
    'cairn chunkserver --set \'disks=["/disk1"]\' --set \'masters=["10.0.0.1:9000"]\'',
  ]).action(async (flags: ServerFlags) => {
    await ending(async () => {
      prepareEngine();
      const { serveChunkserver } = await import('../serve/serve-chunkserver.ts');
      const { chunkserverSettings } = await import('../config/settings.ts');
      await serveChunkserver(chunkserverSettings(flags), endOfLife());
    });
  });
}

function serverCommand(role: string, examples: readonly string[]): Command {
  return new Command(role)
    .option('--config <file>', `TOML or YAML; "cairn config example ${role}" prints one`)
    .addOption(
      new Option('--set <key=value>', 'one key above file and environment; repeatable')
        .default({}, 'none')
        .argParser(collectSetting),
    )
    .addHelpText('after', `\nExamples:\n${examples.map((example) => `  $ ${example}`).join('\n')}\n`);
}

/** An unset variable of a shell is not meant to be the folder one is in. */
function folderArgument(text: string): string {
  if (text === '') throw new InvalidArgumentError('expected a folder.');
  return text;
}

function collectSetting(entry: string, collected: Record<string, string>): Record<string, string> {
  const at = entry.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('expected key=value.');
  return { ...collected, [entry.slice(0, at)]: entry.slice(at + 1) };
}

/** A server that fails says why in one line, besides its log. */
async function ending(run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (error) {
    process.stderr.write(`cairn: ${describeServerFailure(error)}\n`);
    process.exitCode = exitCodeOf(error);
  }
}
