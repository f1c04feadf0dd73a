import { equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { adminAddress } from './admin-listen.ts';

test('admin port: beside the server, where it is told, or off', () => {
  equal(adminAddress({ listen: '10.0.0.1:9000' }), '10.0.0.1:10000');
  equal(adminAddress({ listen: '[::1]:9000' }), '[::1]:10000');
  equal(adminAddress({ listen: '127.0.0.1:0' }), '127.0.0.1:0');
  equal(adminAddress({ listen: '10.0.0.1:9000', admin_listen: '127.0.0.1:7' }), '127.0.0.1:7');
  equal(adminAddress({ listen: '10.0.0.1:9000', admin_listen: 'off' }), undefined);
  throws(() => adminAddress({ listen: '10.0.0.1:65000' }), /listen = "10\.0\.0\.1:65000" .* set admin_listen .*"off"/);
});

test('admin port: one that is the port of the server itself is refused', () => {
  const both = (listen: string, admin_listen: string) => () => adminAddress({ listen, admin_listen });
  throws(both('10.0.0.1:9000', '10.0.0.1:9000'), /admin_listen = "10\.0\.0\.1:9000" and listen = .* are the same/);
  throws(both('0.0.0.0:9000', '127.0.0.1:9000'), /are the same/);
  equal(both('10.0.0.1:9000', '10.0.0.1:9001')(), '10.0.0.1:9001');
  equal(both('10.0.0.1:9000', '127.0.0.1:9000')(), '127.0.0.1:9000');
  equal(both('127.0.0.1:0', '127.0.0.1:0')(), '127.0.0.1:0');
});
