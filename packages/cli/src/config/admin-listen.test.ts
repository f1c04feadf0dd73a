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
