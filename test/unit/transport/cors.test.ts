import { expect, test } from '@jest/globals';
import { isSameHost } from '../../../gateway/transport/http/cors.ts';

test.each([
  ['https://shop.example', 'shop.example', true],
  ['https://shop.example', 'Shop.Example', true],
  ['https://shop.example', 'shop.example:443', true],
  ['http://shop.example', 'shop.example:80', true],
  ['https://shop.example:8443', 'shop.example:8443', true],
  ['http://[::1]', '[::1]:80', true],
  ['http://shop.example', 'shop.example:443', false],
  ['https://shop.example', 'shop.example:80', false],
  ['https://shop.example', 'shop.example:8443', false],
  ['https://shop.example:8443', 'shop.example', false],
  ['https://evil.example', 'shop.example:443', false],
  ['null', 'null', false],
  ['https://shop.example', undefined, false],
])('a page of %s that sends a request to the host %s: same host is %s', (origin, host, isSame) => {
  expect(isSameHost(origin, host)).toBe(isSame);
});
