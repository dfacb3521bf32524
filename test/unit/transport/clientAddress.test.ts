import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { describe, expect, test } from '@jest/globals';
import { parseConfig } from '../../../gateway/config/parseConfig.ts';
import { createClientAddressReader } from '../../../gateway/transport/http/clientAddress.ts';

const trustedProxies = ['10.0.0.0/8', '192.0.2.1', 'fd00::/8'];

function addressOf(peer: string | undefined, headers: IncomingHttpHeaders, trusted = trustedProxies) {
  return createClientAddressReader(trusted)({
    socket: { remoteAddress: peer },
    headers,
  } as unknown as IncomingMessage);
}

describe('the client address', () => {
  test.each<[string, string | undefined, IncomingHttpHeaders, string | undefined]>([
    ['no header', '10.0.0.1', {}, '10.0.0.1'],
    ['a peer that is not trusted', '203.0.113.9', { 'x-forwarded-for': '198.51.100.1' }, '203.0.113.9'],
    ['one hop', '10.0.0.1', { 'x-forwarded-for': '198.51.100.1' }, '198.51.100.1'],
    ['forged hops', '10.0.0.1', { 'x-forwarded-for': '1.1.1.1, 10.9.9.9, 198.51.100.1' }, '198.51.100.1'],
    [
      'trusted hops',
      '10.0.0.1',
      { 'x-forwarded-for': '1.1.1.1, 198.51.100.1,192.0.2.1, fd00::7' },
      '198.51.100.1',
    ],
    ['only trusted hops', '10.0.0.1', { 'x-forwarded-for': '10.0.0.3, 10.0.0.2' }, '10.0.0.3'],
    ['a mapped peer', '::ffff:10.0.0.1', { 'x-forwarded-for': '198.51.100.1' }, '198.51.100.1'],
    ['a mapped peer that is not trusted', '::ffff:203.0.113.9', {}, '203.0.113.9'],
    ['a mapped hop', '10.0.0.1', { 'x-forwarded-for': '::ffff:c633:6401' }, '198.51.100.1'],
    ['other spellings', '10.0.0.1', { 'x-forwarded-for': '2001:DB8:0:0::01' }, '2001:db8::1'],
    ['a zone', '10.0.0.1', { 'x-forwarded-for': 'fe80::1%eth0' }, 'fe80::1'],
    ['ports', '10.0.0.1', { 'x-forwarded-for': '[2001:db8::1]:443, 192.0.2.1:8080' }, '2001:db8::1'],
    ['brackets', '10.0.0.1', { 'x-forwarded-for': '[2001:db8::1]' }, '2001:db8::1'],
    [
      'a hop without an address',
      '10.0.0.1',
      { 'x-forwarded-for': '1.1.1.1, unknown, 192.0.2.1' },
      '192.0.2.1',
    ],
    ['a hop that is no address', '10.0.0.1', { 'x-forwarded-for': '1.1.1.1, 999.1.1.1' }, '10.0.0.1'],
    ['empty hops', '10.0.0.1', { 'x-forwarded-for': '1.1.1.1, ' }, '10.0.0.1'],
    ['an empty header', '10.0.0.1', { 'x-forwarded-for': '' }, '10.0.0.1'],
    [
      'Forwarded',
      '10.0.0.1',
      { forwarded: 'for=1.1.1.1, for=198.51.100.1;proto=https;by=_b' },
      '198.51.100.1',
    ],
    [
      'Forwarded in other case and order',
      '10.0.0.1',
      { forwarded: 'Proto=http; For="198.51.100.1:80" ' },
      '198.51.100.1',
    ],
    ['Forwarded with a quoted address', '10.0.0.1', { forwarded: 'for="[2001:db8::1]:4711"' }, '2001:db8::1'],
    [
      'Forwarded with escapes',
      '10.0.0.1',
      { forwarded: String.raw`host="a\",for=1.1.1.1";for="198.51\.100.1"` },
      '198.51.100.1',
    ],
    [
      'Forwarded with an obfuscated client',
      '10.0.0.1',
      { forwarded: 'for=1.1.1.1, for="_gazonk:80"' },
      '_gazonk',
    ],
    ['Forwarded with an unknown client', '10.0.0.1', { forwarded: 'for=1.1.1.1, for=unknown' }, '10.0.0.1'],
    ['Forwarded without for', '10.0.0.1', { forwarded: 'for=1.1.1.1, proto=https' }, '10.0.0.1'],
    [
      'Forwarded that cannot be read',
      '10.0.0.1',
      { forwarded: '"for=1.1.1.1, for=198.51.100.1' },
      '10.0.0.1',
    ],
    [
      'two headers that agree',
      '10.0.0.1',
      { forwarded: 'for=198.51.100.1', 'x-forwarded-for': '198.51.100.1' },
      '198.51.100.1',
    ],
    [
      'two headers that disagree',
      '10.0.0.1',
      { forwarded: 'for=1.1.1.1', 'x-forwarded-for': '198.51.100.1' },
      '10.0.0.1',
    ],
    ['a closed connection', undefined, { 'x-forwarded-for': '198.51.100.1' }, undefined],
  ])('with %s (from %s)', (_, peer, headers, expected) => {
    expect(addressOf(peer, headers)).toBe(expected);
  });

  test('is that of the connection without trusted proxies', () => {
    const headers = { 'x-forwarded-for': '198.51.100.1', forwarded: 'for=198.51.100.1' };
    expect(['127.0.0.1', '::ffff:10.0.0.1'].map((peer) => addressOf(peer, headers, []))).toEqual([
      '127.0.0.1',
      '::ffff:10.0.0.1',
    ]);
  });

  test('is read from a header of 16 kB within a moment', () => {
    const hops = Array.from({ length: 1000 }, () => '10.1.1.1');
    expect(addressOf('10.0.0.1', { 'x-forwarded-for': ['1.1.1.1', ...hops].join(', ') })).toBe('1.1.1.1');
    expect(addressOf('10.0.0.1', { forwarded: `for="${'\\'.repeat(16_000)}` })).toBe('10.0.0.1');
  });
});

test('listen.trustedProxies refuses text that is not a range of addresses, with its path', () => {
  const listen = {
    trustedProxies: [
      '10.0.0.0/33',
      'fd00::/129',
      'proxy.internal',
      '10.0.0',
      '::1',
      '10.0.0.0/8',
      'fe80::1%lo/64',
    ],
  };
  const wrong = [0, 1, 2, 3, 6].map(
    (index) =>
      `  listen.trustedProxies[${index}] is ${JSON.stringify(listen.trustedProxies[index])}; expected: an IP address or a range of addresses, such as 10.0.0.0/8 or fd00::/8`,
  );
  expect(() => parseConfig({ supergraph: { file: 'a' }, listen })).toThrow(
    `The configuration is invalid:\n${wrong.join('\n')}`,
  );
});
