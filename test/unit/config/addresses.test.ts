import { expect, test } from '@jest/globals';
import { maskSecrets } from '../../../gateway/config/addressSecrets.ts';
import { parseCidr } from '../../../gateway/config/cidr.ts';
import { isLoopback } from '../../../gateway/config/isLoopback.ts';

test.each([
  ['https://shop.test/graphql', 'https://shop.test/graphql'],
  ['https://shop.test/graphql#secret', 'https://shop.test/graphql#***'],
  ['https://user@shop.test/?key=secret#secret', 'https://***@shop.test/?key=***#***'],
  ['https://:secret@shop.test/', 'https://:***@shop.test/'],
  ['no address', 'no address'],
])('%s is logged as %s', (address, masked) => {
  expect(maskSecrets(address)).toBe(masked);
});

test.each([
  ['10.0.0.0/8', { address: '10.0.0.0', prefix: 8, family: 'ipv4' }],
  ['10.0.0.1', { address: '10.0.0.1', prefix: 32, family: 'ipv4' }],
  ['10.0.0.1/32', { address: '10.0.0.1', prefix: 32, family: 'ipv4' }],
  ['10.0.0.1/33', undefined],
  ['fe80::/10', { address: 'fe80::', prefix: 10, family: 'ipv6' }],
  ['::1/128', { address: '::1', prefix: 128, family: 'ipv6' }],
  ['fe80::1%eth0', undefined],
  ['localhost', undefined],
  ['10.0.0.0/', undefined],
])('the range %s is %j', (text, range) => {
  expect(parseCidr(text)).toEqual(range);
});

test('only this machine has a loopback address', () => {
  const hosts = [
    'localhost',
    '127.0.0.1',
    '127.1.2.3',
    '::1',
    '[::1]',
    '127.shop.test',
    '128.0.0.1',
    '0.0.0.0',
    '',
  ];
  expect(hosts.filter(isLoopback)).toEqual(['localhost', '127.0.0.1', '127.1.2.3', '::1', '[::1]']);
});
