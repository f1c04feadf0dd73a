/** `cairn config example`: every key with its meaning and its default, as a file one can start from. */
import type { z } from 'zod';
import { formatDuration } from '../output/units.ts';

const LINE_CHARACTERS = 100;

/** TOML. A key with a default is shown commented out with it; one without must be given. */
export function exampleConfig(role: string, schema: z.ZodObject, examples: Readonly<Record<string, string>>): string {
  const lines = [
    `# Configuration of a CairnFS ${role}: cairn ${role} --config ${role}.toml`,
    '# A key may also come from the environment (CAIRN_CONFIG_<KEY>) or the command line (--set key=value), which win.',
    '',
  ];
  for (const [key, field] of Object.entries(schema.shape)) {
    lines.push(...wrap((field as z.ZodType).description ?? ''));
    const required = !(field as z.ZodType).safeParse(undefined).success;
    const value = examples[key] ?? defaultOf(key, field as z.ZodType);
    lines.push(required ? `${key} = ${value}` : `# ${key} = ${value}`, '');
  }
  return lines.join('\n');
}

function defaultOf(key: string, field: z.ZodType): string {
  const value = field.parse(undefined);
  if (typeof value === 'number' && /_(keep|grace|after|lease|timeout)$/.test(key))
    return JSON.stringify(formatDuration(value));
  return JSON.stringify(value ?? '');
}

function wrap(sentence: string): string[] {
  const lines: string[] = [];
  let line = '#';
  for (const word of sentence.split(' ')) {
    if (line.length + word.length + 1 > LINE_CHARACTERS) {
      lines.push(line);
      line = '#';
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}
