/**
 * For `node --import` before tests: `node:test` follows every promise with async hooks, so as to say which test an error
 * belongs to that nobody awaited. For tests that run whole clusters on promises that is four fifths of all the work
 * (mutation-property.test.ts on Node 20: 36 s with it, 8 s without). Without it such an error still fails the file; it is
 * printed here, with its stack.
 *
 * `node:test` takes `createHook` when it is loaded. A Node that takes it from elsewhere is slower, and nothing else.
 */
import asyncHooks from 'node:async_hooks';

const { createHook } = asyncHooks;
asyncHooks.createHook = () => ({ enable() {}, disable() {} });
await import('node:test');
asyncHooks.createHook = createHook;

// Set in the processes that run a file.
if (process.env.NODE_TEST_CONTEXT !== undefined) {
  process.on('uncaughtExceptionMonitor', (error) => console.error(error));
  process.on('unhandledRejection', (error) => console.error(error));
}
