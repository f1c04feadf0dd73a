/** Paths in the cluster as the command line means them. */
import { UsageError } from './failure.ts';

/** An absolute path without a trailing slash; `/` stays `/`. */
export function remotePath(text: string): string {
  if (!text.startsWith('/')) {
    throw new UsageError(`'${text}' is not a path in the cluster: those are absolute, for example /${text}`);
  }
  const path = text.replace(/\/+/g, '/').replace(/\/$/, '');
  return path === '' ? '/' : path;
}

/** `/a` + `b` → `/a/b`. */
export function joinRemote(directory: string, name: string): string {
  return directory === '/' ? `/${name}` : `${directory}/${name}`;
}

/** Whether `path` lies below `directory`. */
export function isInside(path: string, directory: string): boolean {
  return path !== directory && path.startsWith(joinRemote(directory, ''));
}

export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

export function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/';
}

/**
 * Of several sources that go into one directory no two may have the same name: the second would silently replace the first.
 *
 * @throws UsageError  names the two, and what both would become.
 */
export function refuseSameTarget(sources: readonly string[], targetOf: (source: string) => string): void {
  const sourceOf = new Map<string, string>();
  for (const source of sources) {
    const target = targetOf(source);
    const other = sourceOf.get(target);
    if (other === source) throw new UsageError(`'${source}' was given twice: once is enough`);
    if (other !== undefined) throw new UsageError(`'${other}' and '${source}' would both become '${target}'`);
    sourceOf.set(target, source);
  }
}
