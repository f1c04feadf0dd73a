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
