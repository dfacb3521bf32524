import { expect, test } from '@jest/globals';
import { CorsPolicy, isSameHost } from '../../../gateway/transport/http/cors.ts';

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

test.each([
  ['http://localhost:5173', 'listed'],
  ['http://localhost', 'listed'],
  ['http://shop.localhost:3000', 'listed'],
  ['https://localhost:5173', 'foreign'],
  ['http://localhost.attacker.example:5173', 'foreign'],
  ['http://localhost:5173:*', 'foreign'],
  ['null', 'foreign'],
])('with origins on any port, the page of %s is %s', (origin, expected) => {
  const cors = new CorsPolicy({ origins: ['http://localhost:*', 'http://*.localhost:*'] });
  expect(cors.classify({ origin, host: '127.0.0.1:4000' })).toBe(expected);
});
