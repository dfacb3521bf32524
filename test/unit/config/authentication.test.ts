import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { findConfigProblems, parseConfig } from '../../../gateway/config/parseConfig.ts';
import { printConfig } from '../../../gateway/config/printConfig.ts';
import { signatureAlgorithms } from '../../../gateway/config/sections/jwt.ts';

const supergraph = { file: 'supergraph.graphql' };
const jwks = 'https://login.example/.well-known/jwks.json';

const problemsOf = (security: object) => findConfigProblems({ supergraph, security });

describe('security.jwt', () => {
  test('needs the address of the keys alone', () => {
    expect(parseConfig({ supergraph }).security.jwt).toBeUndefined();
    expect(parseConfig({ supergraph, security: { jwt: { issuers: [{ jwks }] } } }).security.jwt).toEqual({
      issuers: [
        {
          jwks,
          issuer: '',
          audiences: [],
          requiredClaims: ['exp'],
          algorithms: signatureAlgorithms,
          headers: {},
        },
      ],
      required: false,
      header: 'authorization',
      cookie: '',
      clockTolerance: 5_000,
      refreshInterval: 600_000,
    });
  });

  test('accepts several issuers with different names', () => {
    const issuers = ['https://a.example/', 'https://b.example/'].map((issuer) => ({ jwks, issuer }));
    expect(problemsOf({ jwt: { issuers } })).toEqual([]);
  });

  test.each<[string, object, string, string, RegExp]>([
    ['no issuer', { issuers: [] }, 'issuers', 'is a list', /^at least one issuer, such as/],
    [
      'no address',
      { issuers: [{}] },
      'issuers[0].jwks',
      'is missing',
      /^an http:\/\/ or https:\/\/ address$/,
    ],
    [
      'an address with a password',
      { issuers: [{ jwks: 'https://user:canary@login.example/jwks' }] },
      'issuers[0].jwks',
      'has a user name or a password',
      /use headers/,
    ],
    ...['none', 'HS256', 'RS1'].map((algorithm): [string, object, string, string, RegExp] => [
      `the algorithm ${algorithm}`,
      { issuers: [{ jwks, algorithms: [algorithm] }] },
      'issuers[0].algorithms[0]',
      `is "${algorithm}"`,
      /^one of RS256, .*, which verify with a public key$/,
    ]),
    [
      'no algorithm',
      { issuers: [{ jwks, algorithms: [] }] },
      'issuers[0].algorithms',
      'is a list',
      /^at least one algorithm, such as \[RS256\]$/,
    ],
    [
      'two issuers of one name',
      {
        issuers: [
          { jwks, issuer: 'a' },
          { jwks, issuer: 'a' },
        ],
      },
      'issuers[1].issuer',
      'is "a", which is already used',
      /^unique issuers$/,
    ],
    [
      'one of several issuers without a name',
      { issuers: [{ jwks, issuer: 'a' }, { jwks }] },
      'issuers[1].issuer',
      'is empty, but there are several issuers',
      /^the exact `iss` of its tokens, such as/,
    ],
    [
      'a header with a line break',
      { issuers: [{ jwks, headers: { authorization: 'canary\r\nx: y' } }] },
      'issuers[0].headers.authorization',
      'is empty, or has characters that no header may have',
      /^one line of text$/,
    ],
    [
      'a cookie name with a space',
      { issuers: [{ jwks }], cookie: 'access token' },
      'cookie',
      'is "access token"',
      /^the name of a cookie, such as access_token/,
    ],
    [
      'a header of the connection',
      { issuers: [{ jwks }], header: 'host' },
      'header',
      'is "host"',
      /^a header name, except/,
    ],
  ])('is refused with %s', (_, jwt, path, message, expected) => {
    const problems = problemsOf({ jwt });
    expect(problems).toEqual([
      { path: `security.jwt.${path}`, message, expected: expect.stringMatching(expected) },
    ]);
    expect(JSON.stringify(problems)).not.toContain('canary');
  });

  test('is printed without the values of its headers and of the query of its address', () => {
    const issuer = { jwks: `${jwks}?key=canary`, headers: { authorization: 'Basic canary' } };
    const printed = printConfig(parseConfig({ supergraph, security: { jwt: { issuers: [issuer] } } }));
    expect(printed).not.toContain('canary');
    expect(parse(printed).security.jwt.issuers[0].headers).toEqual({ authorization: '***' });
  });
});

describe('security.identity', () => {
  const jwt = { issuers: [{ jwks }] };

  test('is a header, or a claim of a verified token', () => {
    const read = (security: object) => parseConfig({ supergraph, security }).security.identity;
    expect(read({ identity: { header: 'X-User-Id' } })).toEqual({ header: 'x-user-id' });
    expect(read({ jwt, identity: { claim: 'uid' } })).toEqual({ claim: 'uid' });
    expect(read({ jwt })).toBeUndefined();
  });

  test('cannot be both', () => {
    expect(problemsOf({ jwt, identity: { header: 'x-user-id', claim: 'sub' } })).toEqual([
      {
        path: 'security.identity',
        message: 'has both `header` and `claim`',
        expected: 'only one of them; remove the other',
      },
    ]);
  });

  test('cannot be a claim of tokens that are not verified', () => {
    expect(problemsOf({ identity: { claim: 'sub' } })).toEqual([
      {
        path: 'security.identity.claim',
        message: 'is "sub", but no token is verified',
        expected: expect.stringMatching(/^security\.jwt as well, such as/),
      },
    ]);
  });
});
