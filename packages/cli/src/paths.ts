/**
 * Paths in the cluster as the command line means them. The SDK has some of these functions too; it is loaded when a command
 * goes to a cluster, not for help or a wrong argument.
 */
import { UsageError } from './failure.ts';

/** Where deleted things lie until they go for good. A listing of "/" leaves it out. */
export const TRASH = '/.trash';

/** An absolute path. Slashes at its end become one, which stays: it says that a directory is meant, as the SDK checks. */
export function remotePath(text: string): string {
  if (!text.startsWith('/')) {
    throw new UsageError(`'${text}' is not a path in the cluster: those are absolute, for example /${text}`);
  }
  return text.replace(/\/+/g, '/');
}

/** `/a/` → `/a`; `/` stays `/`. */
export function withoutSlash(path: string): string {
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}

/** `/a` or `/a/` + `b` → `/a/b`. */
export function joinRemote(directory: string, name: string): string {
  return directory.endsWith('/') ? `${directory}${name}` : `${directory}/${name}`;
}

/** Whether `path` lies below `directory`. */
export function isInside(path: string, directory: string): boolean {
  const inside = joinRemote(directory, '');
  return path.length > inside.length && path.startsWith(inside);
}

export function baseName(path: string): string {
  const name = withoutSlash(path);
  return name.slice(name.lastIndexOf('/') + 1);
}

export function parentOf(path: string): string {
  const name = withoutSlash(path);
  return name.slice(0, name.lastIndexOf('/')) || '/';
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
