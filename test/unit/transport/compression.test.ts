import type { IncomingHttpHeaders } from 'node:http';
import { describe, expect, test } from '@jest/globals';
import { CompressionPolicy, negotiateCoding } from '../../../gateway/transport/http/compression.ts';
import { CorsPolicy } from '../../../gateway/transport/http/cors.ts';

describe('negotiateCoding', () => {
  test.each<[string, string | undefined]>([
    ['gzip', 'gzip'],
    ['gzip, deflate, br, zstd', 'zstd'],
    ['gzip, deflate, br', 'br'],
    ['GZip , x-unknown', 'gzip'],
    ['x-gzip', 'gzip'],
    ['zstd;q=0.5, br;q=0.8, gzip;q=0.7', 'br'],
    ['zstd;q=0, gzip', 'gzip'],
    ['br ; q=1.000, gzip', 'br'],
    ['*', 'zstd'],
    ['*;q=0.1, gzip;q=0.2', 'gzip'],
    ['*, zstd;q=0', 'br'],
    ['identity;q=0, gzip;q=0.1', 'gzip required'],
    ['gzip, *;q=0', 'gzip required'],
    ['identity;q=0', undefined],
    ['identity, gzip;q=0.5', undefined],
    ['identity;q=0.5, gzip;q=0.5', 'gzip'],
    ['', undefined],
    ['deflate', undefined],
    ['gzip;q=0', undefined],
    ['gzip;q=2', undefined],
    ['gzip;q=-1', undefined],
    ['gzip;level=1', undefined],
    ['*;q=0', undefined],
  ])('%j selects %s', (header, expected) => {
    const selected = negotiateCoding(header);
    expect(selected && `${selected.coding}${selected.isRequired ? ' required' : ''}`).toBe(expected);
  });
});

const options = { enabled: true, minSize: 1024, subscriptions: false, crossOrigin: false };
const cors = new CorsPolicy({ origins: ['https://shop.example'], credentials: true });
const everyOrigin = new CorsPolicy({ origins: ['*'] });

function isCompressed(headers: IncomingHttpHeaders, overrides = {}, policy = cors): boolean {
  return (
    new CompressionPolicy({ ...options, ...overrides }, policy).choose({
      host: 'api.example',
      'accept-encoding': 'gzip',
      ...headers,
    }) !== undefined
  );
}

describe('a response is compressed', () => {
  const cookie = 'session=1';
  test.each<[string, boolean, IncomingHttpHeaders]>([
    ['to a client with credentials that is no browser', true, { authorization: 'Bearer 1' }],
    ['to a page of the same origin', true, { cookie, 'sec-fetch-site': 'same-origin' }],
    ['to a page of the same origin, by its origin', true, { cookie, origin: 'https://api.example' }],
    [
      'to the page of a proxy that changes host',
      true,
      { cookie, origin: 'https://a.test', 'sec-fetch-site': 'same-origin' },
    ],
    ['to an address that the user typed', true, { cookie, 'sec-fetch-site': 'none' }],
    [
      'to a page of another origin without credentials',
      true,
      { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' },
    ],
    ['to a page of another origin with cookies', false, { cookie, origin: 'https://evil.example' }],
    ['to an image of another site with cookies', false, { cookie, 'sec-fetch-site': 'cross-site' }],
    ['to a page of another subdomain with cookies', false, { cookie, 'sec-fetch-site': 'same-site' }],
    [
      'to a page of a listed origin with a token',
      false,
      { authorization: 'Bearer 1', origin: 'https://shop.example' },
    ],
    ['to a page without an origin of its own', false, { cookie, origin: 'null' }],
  ])('%s: %s', (_, expected, headers) => {
    expect(isCompressed(headers)).toBe(expected);
  });

  test('to pages of listed origins with credentials, and to no others, with crossOrigin', () => {
    const overrides = { crossOrigin: true };
    expect(isCompressed({ cookie, origin: 'https://shop.example' }, overrides)).toBe(true);
    expect(isCompressed({ cookie, origin: 'https://evil.example' }, overrides)).toBe(false);
    expect(isCompressed({ cookie, origin: 'https://evil.example' }, overrides, everyOrigin)).toBe(false);
    expect(isCompressed({ cookie, 'sec-fetch-site': 'cross-site' }, overrides)).toBe(false);
  });

  test('to no page of another origin when clients have certificates, which browsers send for every page', () => {
    const policy = new CompressionPolicy(options, cors, true);
    const received = { host: 'api.example', 'accept-encoding': 'gzip' };
    expect(policy.choose({ ...received, 'sec-fetch-site': 'cross-site' })).toBeUndefined();
    expect(policy.choose(received)?.coding).toBe('gzip');
  });

  test('to no client when compression is off, and to no client that does not accept it', () => {
    expect(isCompressed({}, { enabled: false })).toBe(false);
    expect(new CompressionPolicy(options, cors).choose({ host: 'api.example' })).toBeUndefined();
    expect(new CompressionPolicy(undefined, cors).choose({ 'accept-encoding': 'gzip' })).toBeUndefined();
  });
});
