import { describe, expect, test } from '@jest/globals';
import {
  checkIdentities,
  createIdentityReader,
  identityHeadersOf,
  isSameClient,
  type VerifiedToken,
} from '../../../gateway/admission/identity.ts';
import type { Claims, ClientIdentity } from '../../../gateway/execution/requestContext.ts';

type Source = Parameters<typeof createIdentityReader>[0];

const tokenOf = (claims: Claims): VerifiedToken => ({ text: 'a.b.c', claims, expiresAt: 1_000 });

const read = (source: Source, headers: Record<string, string>, token?: VerifiedToken) =>
  createIdentityReader(source)(new Map(Object.entries(headers)), '192.0.2.1', token);

test.each<[string, Source, Record<string, string>, string | undefined]>([
  ['no configured source', undefined, { 'x-user': 'u1' }, undefined],
  ['the configured header', { header: 'x-user' }, { 'x-user': 'u1' }, 'u1'],
  ['no such header', { header: 'x-user' }, {}, undefined],
  ['a blank header value', { header: 'x-user' }, { 'x-user': ' ' }, undefined],
  ['a token that was not verified', { claim: 'sub' }, { authorization: 'Bearer e30.e30.e30' }, undefined],
])('the identity of a request with %s', (_, source, headers, expected) => {
  expect(read(source, headers).identity).toBe(expected);
});

test.each<[string, Source, Claims, string | undefined]>([
  ['sub, by default', undefined, { sub: 'u1' }, '[null,"u1"]'],
  ['the configured claim', { claim: 'uid' }, { uid: 'u1', sub: 'u2' }, '[null,"u1"]'],
  [
    'a claim and an issuer',
    undefined,
    { iss: 'https://login.test/', sub: 'u1' },
    '["https://login.test/","u1"]',
  ],
  ['a claim that is a number', undefined, { sub: 7 }, '[null,"7"]'],
  ['no such claim', undefined, { name: 'u1' }, undefined],
  ['a claim that is a list', undefined, { sub: ['u1'] }, undefined],
  ['a claim that is null', undefined, { sub: null }, undefined],
  ['an empty claim', undefined, { sub: '' }, undefined],
  ['a claim name that every object inherits', { claim: 'constructor' }, {}, undefined],
  ['a configured header, which is missing', { header: 'x-user' }, { sub: 'u1' }, undefined],
])('the identity of a verified token with %s', (_, source, claims, expected) => {
  expect(read(source, {}, tokenOf(claims)).identity).toBe(expected);
});

test('a request has the claims of its verified token and the time at which it expires', () => {
  const claims = { sub: 'u1', scope: 'read' };
  expect(read(undefined, {}, tokenOf(claims))).toEqual({
    identity: '[null,"u1"]',
    tokenOwner: 'identity [null,"u1"]',
    clientKey: 'identity [null,"u1"]',
    claims,
    expiresAt: 1_000,
  });
});

describe('without an identity', () => {
  test('the authorization header owns the tokens of a request, and its address counts for limits', () => {
    expect(read(undefined, { authorization: 'Bearer abc' })).toEqual({
      identity: undefined,
      tokenOwner: 'authorization Bearer abc',
      clientKey: 'address 192.0.2.1',
    });
  });

  test('all addresses of an IPv6 network of 64 bits count for the same limits', () => {
    const readIdentity = createIdentityReader();
    const [first, second, other] = ['2001:db8::1', '2001:db8::2:3:4:5', '2001:db8:0:1::1'].map(
      (address) => readIdentity(new Map(), address).clientKey,
    );
    expect(second).toBe(first);
    expect(other).not.toBe(first);
  });

  test('the verified token owns the tokens of a request, wherever it was read from', () => {
    expect(read(undefined, { cookie: 'session=a.b.c' }, tokenOf({})).tokenOwner).toBe('token a.b.c');
  });

  test.each([{}, { authorization: ' ', 'x-user': '' }])(
    'no client owns the tokens of a request with %j',
    (headers) => {
      expect(read({ header: 'x-user' }, headers).tokenOwner).toBeUndefined();
    },
  );
});

describe('with an identity', () => {
  test('the identity owns the tokens of a request and counts for limits', () => {
    expect(read({ header: 'x-user' }, { authorization: 'Bearer abc', 'x-user': 'u1' })).toEqual({
      identity: 'u1',
      tokenOwner: 'identity u1',
      clientKey: 'identity u1',
    });
  });

  test('an identity that looks like an address is not the client of that address', () => {
    const byIdentity = read({ header: 'x-user' }, { 'x-user': '192.0.2.1' }).clientKey;
    expect(read(undefined, {}).clientKey).not.toBe(byIdentity);
  });
});

test.each<[string, Claims, Claims, boolean]>([
  ['the same issuer and subject', { iss: 'a', sub: 'u1' }, { iss: 'a', sub: 'u1', scope: 'x' }, true],
  ['another subject', { iss: 'a', sub: 'u1' }, { iss: 'a', sub: 'u2' }, false],
  ['another issuer', { iss: 'a', sub: 'u1' }, { iss: 'b', sub: 'u1' }, false],
  ['no subject at all', { iss: 'a' }, { iss: 'a' }, false],
])('whether a token is of the same client as one with %s', (_, left, right, expected) => {
  const [first, second] = [left, right].map((claims) => read(undefined, {}, tokenOf(claims)));
  expect(isSameClient(first as never, second as never)).toBe(expected);
});

test('an equal identity in a header does not make tokens of two subjects those of one client', () => {
  const [first, second] = ['u1', 'u2'].map((sub) =>
    read({ header: 'x-user' }, { 'x-user': 'proxy' }, tokenOf({ sub })),
  );
  expect(isSameClient(first as never, second as never)).toBe(false);
});

describe('the function of an application that reads who sent a request', () => {
  const client = { identity: 'ada', tokenOwner: 'user ada', clientKey: 'user ada' };
  const readChecked = (returned: unknown) =>
    checkIdentities(() => returned as ClientIdentity)(new Map(), '192.0.2.1');

  test.each([
    client,
    {
      identity: undefined,
      tokenOwner: undefined,
      clientKey: 'address',
      claims: undefined,
      expiresAt: undefined,
    },
    { ...client, claims: { sub: 'ada' }, expiresAt: 1_000 },
  ])('may return %j, which is used as it is', (returned) => {
    expect(readChecked(returned)).toBe(returned);
  });

  test.each([
    ['nothing', undefined, 'returned something that is not an object'],
    ['null', null, 'returned something that is not an object'],
    ['a promise', Promise.reject(new Error('unread')), 'is synchronous, but it returned a promise'],
    ['no client key', { identity: 'ada' }, 'returned an object whose `clientKey` is not text'],
    [
      'the identity null',
      { ...client, identity: null },
      'returned an object whose `identity` is not non-empty text or undefined',
    ],
    [
      'the identity 7',
      { ...client, identity: 7 },
      'returned an object whose `identity` is not non-empty text or undefined',
    ],
    [
      'an empty identity',
      { ...client, identity: '' },
      'returned an object whose `identity` is not non-empty text or undefined',
    ],
    [
      'the owner null',
      { ...client, tokenOwner: null },
      'returned an object whose `tokenOwner` is not non-empty text or undefined',
    ],
    [
      'the claims null',
      { ...client, claims: null },
      'returned an object whose `claims` is not an object or undefined',
    ],
    [
      'a date',
      { ...client, expiresAt: new Date(0) },
      'returned an object whose `expiresAt` is not a number or undefined',
    ],
  ])('may not return %s', (_, returned, problem) => {
    expect(() => readChecked(returned)).toThrow(new TypeError(`readIdentity ${problem}.`));
  });
});

type Security = Parameters<typeof identityHeadersOf>[0];
const jwt = (cookie: string) => ({ header: 'x-token', cookie }) as NonNullable<Security['jwt']>;

test.each<[string, Security, readonly string[]]>([
  ['authorization, by default', {}, ['authorization']],
  ['the header of tokens', { jwt: jwt('') }, ['x-token']],
  ['that header and the cookies, if tokens may be in one', { jwt: jwt('session') }, ['x-token', 'cookie']],
  [
    'the header of identities alone, if there is one',
    { jwt: jwt('session'), identity: { header: 'x-user' } },
    ['x-user'],
  ],
])('private values belong to clients by %s', (_, security, expected) => {
  expect(identityHeadersOf(security)).toEqual(expected);
});
