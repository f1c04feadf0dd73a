import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { formatAddress, parseAddress } from './address.ts';
import { isFsError } from './errors.ts';

test('address: names, IPv4 and bracketed IPv6 are taken apart and put together again', () => {
  const cases = [
    ['master:9000', { host: 'master', port: 9000 }],
    ['10.0.0.7:0', { host: '10.0.0.7', port: 0 }],
    ['a-b.example_1.org:65535', { host: 'a-b.example_1.org', port: 65535 }],
    ['[::1]:8080', { host: '::1', port: 8080 }],
    ['[fe80::1%eth0]:1', { host: 'fe80::1%eth0', port: 1 }],
  ] as const;
  for (const [text, parts] of cases) {
    deepEqual(parseAddress(text), parts);
    equal(formatAddress(parts), text);
  }
});

test('address: anything else is refused', () => {
  const wrong = [
    '',
    'master',
    ':9000',
    'master:',
    'master:65536',
    'master:-1',
    'master:9e3',
    '::1:80',
    '[::1]',
    '[a]:1',
  ];
  for (const text of [...wrong, 'a b:1', '-a:1', `${'a'.repeat(254)}:1`, 'http://a:1', 'a:1 ']) {
    throws(
      () => parseAddress(text),
      (error) => isFsError(error, 'INVALID_ARGUMENT'),
      text,
    );
  }
});

test('address: of a URL it is the scheme that is at fault', () => {
  for (const text of ['http://127.0.0.1:9000', 'https://master', 'http://[::1]:9000/']) {
    throws(() => parseAddress(text), /an address: https?:\/\/ does not belong to it\. Write host:port\.$/, text);
  }
});
