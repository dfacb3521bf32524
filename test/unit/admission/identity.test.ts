import { describe, expect, test } from '@jest/globals';
import { createIdentityReader } from '../../../gateway/admission/identity.ts';

const tokenOf = (payload: unknown): string =>
  ['{"alg":"none"}', JSON.stringify(payload), 'signature']
    .map((part) => Buffer.from(part).toString('base64url'))
    .join('.');

const bearer = (payload: unknown) => ({ authorization: `Bearer ${tokenOf(payload)}` });

test.each<[string, Parameters<typeof createIdentityReader>[0], Record<string, string>, string | undefined]>([
  ['no configured source', undefined, { 'x-user': 'u1' }, undefined],
  ['the configured header', { header: 'x-user' }, { 'x-user': 'u1' }, 'u1'],
  ['no such header', { header: 'x-user' }, {}, undefined],
  ['a blank header value', { header: 'x-user' }, { 'x-user': ' ' }, undefined],
  ['the configured claim', { claim: 'sub' }, bearer({ sub: 'u1' }), 'u1'],
  ['a claim that is a number', { claim: 'sub' }, bearer({ sub: 7 }), '7'],
  ['a claim with letters beyond ASCII', { claim: 'sub' }, bearer({ sub: 'ü1' }), 'ü1'],
  [
    'an authorization scheme in another letter case',
    { claim: 'sub' },
    { authorization: `bEARER  ${tokenOf({ sub: 'u1' })} ` },
    'u1',
  ],
  ['no such claim', { claim: 'sub' }, bearer({ name: 'u1' }), undefined],
  ['a claim that is a list', { claim: 'sub' }, bearer({ sub: ['u1'] }), undefined],
  ['a claim that is null', { claim: 'sub' }, bearer({ sub: null }), undefined],
  ['an empty claim', { claim: 'sub' }, bearer({ sub: '' }), undefined],
  ['a claim name that every object inherits', { claim: 'constructor' }, bearer({}), undefined],
  ['a token payload that is a string', { claim: 'length' }, bearer('u1'), undefined],
  ['a token payload that is null', { claim: 'sub' }, bearer(null), undefined],
  ['a token payload that is not JSON', { claim: 'sub' }, { authorization: 'Bearer a.b.c' }, undefined],
  ['an opaque token', { claim: 'sub' }, { authorization: 'Bearer abc' }, undefined],
  [
    'an encrypted token',
    { claim: 'sub' },
    { authorization: `Bearer ${tokenOf({ sub: 'u1' })}.x.y` },
    undefined,
  ],
  [
    'another authorization scheme',
    { claim: 'sub' },
    { authorization: `Basic ${tokenOf({ sub: 'u1' })}` },
    undefined,
  ],
  ['no authorization header', { claim: 'sub' }, {}, undefined],
])('the identity of a request with %s', (_, source, headers, expected) => {
  const readIdentity = createIdentityReader(source);
  expect(readIdentity(new Map(Object.entries(headers)), '192.0.2.1').identity).toBe(expected);
});

describe('without a configured identity', () => {
  const readIdentity = createIdentityReader(undefined);

  test('the authorization header owns the tokens of a request, and its address counts for limits', () => {
    const headers = new Map([['authorization', 'Bearer abc']]);
    expect(readIdentity(headers, '192.0.2.1')).toEqual({
      identity: undefined,
      tokenOwner: 'authorization Bearer abc',
      clientKey: 'address 192.0.2.1',
    });
  });
});

describe('with a configured identity', () => {
  const readIdentity = createIdentityReader({ header: 'x-user' });

  test('the identity owns the tokens of a request and counts for limits', () => {
    const headers = new Map([
      ['authorization', 'Bearer abc'],
      ['x-user', 'u1'],
    ]);
    expect(readIdentity(headers, '192.0.2.1')).toEqual({
      identity: 'u1',
      tokenOwner: 'identity u1',
      clientKey: 'identity u1',
    });
  });

  test('the authorization header owns the tokens of a request without an identity', () => {
    const { identity, tokenOwner } = readIdentity(new Map([['authorization', 'Bearer abc']]), '192.0.2.1');
    expect([identity, tokenOwner]).toEqual([undefined, 'authorization Bearer abc']);
  });

  test.each([{}, { authorization: ' ', 'x-user': '' }])(
    'nobody owns the tokens of a request with %j',
    (headers) => {
      expect(readIdentity(new Map(Object.entries(headers)), '192.0.2.1').tokenOwner).toBeUndefined();
    },
  );

  test('an identity that looks like an address is not the client of that address', () => {
    const byIdentity = readIdentity(new Map([['x-user', '192.0.2.1']]), '192.0.2.9').clientKey;
    expect(readIdentity(new Map(), '192.0.2.1').clientKey).not.toBe(byIdentity);
  });
});
