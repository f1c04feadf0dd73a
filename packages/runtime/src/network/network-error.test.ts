import { deepEqual, match } from 'node:assert/strict';
import { test } from 'node:test';
import { networkError } from './network-error.ts';

test('network error: a name that does not resolve is told as that, with the name and what to look at', () => {
  const failure = (code: string) => {
    const cause = Object.assign(new Error(`getaddrinfo ${code} m.invalid`), { code, hostname: 'm.invalid' });
    return networkError('No connection to m.invalid:9000', cause);
  };
  const { kind, code, message } = failure('ENOTFOUND');
  deepEqual([kind, code], ['NAME_UNRESOLVED', 'ENOTFOUND']);
  match(message, /^No connection to m\.invalid:9000: the name m\.invalid does not resolve .*: check /);
  match(failure('EAI_AGAIN').message, /: no name server tells where m\.invalid is \(EAI_AGAIN\): check /);
});
