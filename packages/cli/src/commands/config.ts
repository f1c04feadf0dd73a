import { Argument, Command } from 'commander';
import { printOrFail } from '../output/standard-output.ts';

const EXAMPLES = {
  master: { data: '"/var/lib/cairnfs/master"', chunk_size: '"64MiB"', admin_listen: '"127.0.0.1:10000"' },
  chunkserver: {
    advertise: '"10.0.0.7:8080"',
    disks: '["/disk1/cairnfs", "/disk2/cairnfs"]',
    capacity: '"500GiB"',
    host: '"storage-7"',
    admin_listen: '"127.0.0.1:9080"',
  },
} as const;

export function configCommand(): Command {
  const example = new Command('example')
    .description('Print a commented configuration with every key')
    .addArgument(new Argument('<role>', 'which server').choices(['master', 'chunkserver']))
    .addHelpText('after', '\nExamples:\n  $ cairn config example master > master.toml\n')
    .action(async (role: 'master' | 'chunkserver') => {
      const { exampleConfig } = await import('../config/example.ts');
      const { chunkserverSchema, masterSchema } = await import('../config/schema.ts');
      const schema = role === 'master' ? masterSchema : chunkserverSchema;
      printOrFail(exampleConfig(role, schema, EXAMPLES[role]));
    });
  return new Command('config').addCommand(example);
}
