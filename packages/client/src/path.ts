/**
 * Paths as callers of `node:fs` write them: one that ends in a slash names a directory (POSIX.1, "Pathname Resolution").
 * The protocol knows every file by one path, without slashes at its end.
 */

export function endsInSlash(path: string): boolean {
  return path.length > 1 && path.endsWith('/');
}

/** `/a/` → `/a`; the root stays. */
export function withoutSlash(path: string): string {
  return endsInSlash(path) ? path.replace(/\/+$/, '') || '/' : path;
}

export function joinPath(directory: string, name: string): string {
  return directory.endsWith('/') ? `${directory}${name}` : `${directory}/${name}`;
}

/** Of a path that may end in a slash: the directory that holds what it names. */
export function parentPath(path: string): string {
  const name = withoutSlash(path);
  return name.slice(0, name.lastIndexOf('/')) || '/';
}
