/**
 * Many calls under one signal: they share its one listener, because Node takes more than ten listeners on a signal for a
 * leak and says so on stderr.
 */
const watched = new WeakMap<AbortSignal, Set<() => void>>();

/** Runs `callback` when the signal, not yet aborted, aborts. The function returned must run once it no longer matters. */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  const callbacks = watched.get(signal) ?? watch(signal);
  callbacks.add(callback);
  return () => {
    callbacks.delete(callback);
    if (callbacks.size > 0 || watched.get(signal) !== callbacks) return;
    watched.delete(signal);
    signal.removeEventListener('abort', runAll);
  };
}

function watch(signal: AbortSignal): Set<() => void> {
  const callbacks = new Set<() => void>();
  watched.set(signal, callbacks);
  signal.addEventListener('abort', runAll);
  return callbacks;
}

function runAll(event: Event): void {
  const signal = event.target as AbortSignal;
  const callbacks = watched.get(signal) ?? [];
  watched.delete(signal);
  for (const callback of [...callbacks]) callback();
}
