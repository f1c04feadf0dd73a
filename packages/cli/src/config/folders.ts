/** Folders of a configuration: several, each a different one. */
import { statSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { z } from 'zod';
import { text } from './fields.ts';

/** At least one folder. The same one twice is refused however it is written: two stores would share its files. */
export const folders = () =>
  z
    .array(text('a folder'), { error: 'expected a list of folders' })
    .min(1, 'expected at least one folder')
    .superRefine((paths, context) => {
      const indexOf = new Map<string, number>();
      paths.forEach((path, index) => {
        const identity = identityOf(resolve(path));
        const other = indexOf.get(identity);
        if (other === undefined) indexOf.set(identity, index);
        else {
          const message = `this is the folder of ${JSON.stringify(paths[other])} too: name each disk once`;
          context.addIssue({ code: 'custom', path: [index], message });
        }
      });
    });

/**
 * What two names of one folder have in common, also through links and mounts. One that is not there yet, or cannot be
 * looked at because its disk has failed, is known by its name in the folder above.
 */
function identityOf(path: string): string {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return path === dirname(path) ? path : `${identityOf(dirname(path))}/${basename(path)}`;
  }
}
