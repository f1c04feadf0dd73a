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

/** `DIR/.`: not the directory is meant but what is in it, as in `cp -r DIR/. DST`. */
export function meansContents(path: string): boolean {
  return /(?:^|\/)\.\/*$/.test(path);
}

/** What `-r` makes of a SRC, for the help of each command that takes it. */
export const WHERE_TREES_GO = `
With -r a directory goes into DST under its own name when DST is a directory, otherwise DST is made from it. Of "SRC/." the
contents go into DST itself, which is made when it is missing: so the same command can be given again.`;

export interface RemoteSource {
  readonly path: string;
  /** It was written `/a/.`; `path` is then `/a/`. */
  readonly isContents: boolean;
}

/** A path in the cluster that something is taken from. */
export function remoteSource(text: string): RemoteSource {
  const path = remotePath(text);
  const isContents = meansContents(path);
  return { path: isContents ? path.replace(/\.\/?$/, '') : path, isContents };
}

/** Those that go into a directory under their own names. */
export function namedSources(sources: readonly RemoteSource[]): string[] {
  return sources.filter(({ isContents }) => !isContents).map(({ path }) => path);
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
