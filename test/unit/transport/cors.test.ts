import { expect, test } from '@jest/globals';
import { parseConfig } from '../../../gateway/config/parseConfig.ts';
import { CorsPolicy, corsOptionsOf, isSameHost } from '../../../gateway/transport/http/cors.ts';

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

test.each([
  ['https://eu.shop.test', 'listed'],
  ['https://a.b.shop.test', 'listed'],
  ['https://shop.test', 'foreign'],
  ['https://evilshop.test', 'foreign'],
  ['https://eu.shop.test.evil', 'foreign'],
  ['https://evil.test/.shop.test', 'foreign'],
  ['http://eu.shop.test', 'foreign'],
  ['https://eu.shop.test:8443', 'foreign'],
  ['https://.shop.test', 'foreign'],
  ['null', 'foreign'],
])('with the origins of all subdomains, the page of %s is %s', (origin, expected) => {
  const cors = new CorsPolicy({ origins: ['https://*.shop.test'] });
  expect(cors.classify({ origin, host: '127.0.0.1:4000' })).toBe(expected);
});

const preflight = { origin: 'https://shop.test', 'access-control-request-method': 'POST' };

test('CORS allows the headers in which clients name themselves, by default and as configured', () => {
  const allowed = (record: object): string | undefined => {
    const config = parseConfig({ supergraph: { file: 'supergraph.graphql' }, contracts: { record } });
    const policy = new CorsPolicy({ ...corsOptionsOf(config), origins: ['https://shop.test'] });
    return policy.preflightHeaders(preflight, 'GET')?.['access-control-allow-headers'];
  };
  expect(allowed({})).toMatch(/, graphql-client-name, graphql-client-version$/);
  const own = { clientNameHeaders: ['x-app'], clientVersionHeaders: ['x-app-version'] };
  expect(allowed(own)).toMatch(/, x-app, x-app-version$/);
});

test('CORS allows the headers that subgraphs receive and send, and stores preflights for a day by default', () => {
  const config = parseConfig({
    supergraph: { file: 'supergraph.graphql' },
    subgraphs: {
      all: { headers: { forward: ['x-all'], respond: ['x-node', 'set-cookie'] } },
      reviews: {
        headers: { forward: ['x-tenant'], rules: [{ rename: 'x-a', to: 'x-b' }, { forward: 'x-c' }] },
      },
    },
    security: { cors: { origins: ['https://shop.test'] } },
  });
  const policy = new CorsPolicy(corsOptionsOf(config));
  const answer = policy.preflightHeaders(preflight, 'GET') ?? {};
  expect(answer['access-control-allow-headers']).toMatch(/, x-all, x-tenant, x-a, x-c$/);
  expect(answer['access-control-expose-headers']).toMatch(/, ratelimit-policy, x-node$/);
  expect(answer['access-control-max-age']).toBe('86400');
});
