import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { findConfigProblems, parseConfig } from '../../../gateway/config/parseConfig.ts';
import { printConfig } from '../../../gateway/config/printConfig.ts';
import { subgraphPolicyOf } from '../../../gateway/config/subgraphPolicyOf.ts';
import { signingOf } from '../../../gateway/subgraphs/requestSignature.ts';

const supergraph = { file: 'a' };
const jwt = { issuers: [{ jwks: 'https://login.test/jwks.json' }] };

function problemsOf(section: object, name = 'all'): string[] {
  return findConfigProblems({ supergraph, subgraphs: { [name]: section }, security: { jwt } }).map(
    ({ path, message, expected }) => `${path} ${message}; expected: ${expected}`,
  );
}

describe('header rules in the configuration', () => {
  test.each<[object, string]>([
    [
      { set: 'Content-Length', value: '1' },
      '[0].set is "content-length", which describes a message that the gateway writes itself; expected: another header',
    ],
    [
      { rename: 'x-a', to: 'transfer-encoding' },
      '[0].to is "transfer-encoding", which belongs to a single connection (RFC 9110, 7.6.1); expected: another header',
    ],
    [
      { forward: 'traceparent' },
      '[0].forward is "traceparent", which is written by the gateway itself; expected: another header',
    ],
    [{ remove: ':path' }, '[0].remove is ":path"; expected: a header name'],
    [
      { set: 'x-a', value: 'a\r\nx-admin: 1' },
      '[0].value is invalid; expected: a header value: printable characters without line breaks',
    ],
    [{}, '[0] says nothing to do; expected: one of `set`, `remove`, `rename`, `forward`, `forwardMatching`'],
    [
      { remove: 'x-a', forward: 'x-a' },
      '[0] has `remove` and `forward`; expected: one of `set`, `remove`, `rename`, `forward`, `forwardMatching`',
    ],
    [{ set: 'x-a' }, '[0] has neither `value` nor `claim` for `set`; expected: one of them'],
    [
      { set: 'x-a', value: 'a', claim: 'sub' },
      '[0] has both `value` and `claim` for `set`; expected: one of them',
    ],
    [{ remove: 'x-a', value: 'a' }, '[0] has `value` without `set`; expected: `set`'],
    [{ forward: 'x-a', claim: 'sub' }, '[0] has `claim` without `set`; expected: `set`'],
    [{ rename: 'x-a' }, '[0] has no `to` for `rename`; expected: a header name'],
    [{ forward: 'x-a', to: 'x-b' }, '[0] has `to` without `rename`; expected: `rename`'],
    [{ forward: 'x-a', sett: 'x-a' }, '[0].sett is not known; did you mean `set`?; expected: '],
  ])('are refused with the reason: %j', (rule, problem) => {
    expect(problemsOf({ headers: { rules: [rule] } })).toEqual([`subgraphs.all.headers.rules${problem}`]);
  });

  test.each(['^x-acme-', 'x-[a-z+*]+-id', '^(x-a|x-b)$', '^x\\.\\*\\+', '^x-\\d{1,3}$', '(?:a|b)'])(
    'accept the expression %s',
    (forwardMatching) => {
      expect(problemsOf({ headers: { rules: [{ forwardMatching }] } })).toEqual([]);
    },
  );

  test.each([
    '',
    '(',
    '(a+)+',
    '(a|a)*',
    '([a-z]+){2,}',
    'a*a*a*',
    'a?a?a?',
    '(x)\\1',
    '(?=x)x',
    '(?<name>x)\\k<name>',
    'x'.repeat(201),
  ])('refuse the expression %j, which is invalid or may take long', (forwardMatching) => {
    const [problem, ...others] = problemsOf({ headers: { rules: [{ forwardMatching }] } });
    expect(problem).toMatch(
      /^subgraphs\.all\.headers\.rules\[0\]\.forwardMatching is .*; expected: a regular expression such as \^x-acme-,/,
    );
    expect(others).toEqual([]);
  });
});

describe('a header rule with a claim', () => {
  const rules = [
    { set: 'x-a', value: 'a' },
    { set: 'x-user', claim: 'sub' },
  ];

  test('is refused when no token is verified, which would never send it', () => {
    const subgraphs = { all: { headers: { rules } }, 'my.name': { headers: { rules: rules.slice(1) } } };
    const problem = {
      message: 'is "sub", but no token is verified',
      expected:
        'security.jwt as well, such as { issuers: [{ jwks: https://login.example/.well-known/jwks.json }] }, or a header that a trusted proxy sets (`forward` instead of `set`)',
    };
    expect(findConfigProblems({ supergraph, subgraphs })).toEqual([
      { path: 'subgraphs.all.headers.rules[1].claim', ...problem },
      { path: 'subgraphs["my.name"].headers.rules[0].claim', ...problem },
    ]);
  });

  test('is accepted with security.jwt, or with an application that reads the identity', () => {
    const options = { supergraph, subgraphs: { all: { headers: { rules } } } };
    expect(findConfigProblems({ ...options, security: { jwt } })).toEqual([]);
    expect(findConfigProblems(options, { readsIdentity: true })).toEqual([]);
  });
});

describe('a name of a header with `*`', () => {
  const isNoPattern = 'has `*`, which is no pattern here; expected:';
  const aName = 'a header name';
  const instead = "a header name, or a rule such as { forwardMatching: '^x-' }";
  const exceptMessageHeaders =
    'a header name, except headers of the connection and the body such as host and content-type';

  test.each<[string, object, string]>([
    ['headers.forward[0]', { headers: { forward: ['*'] } }, instead],
    ['headers.rules[0].forward', { headers: { rules: [{ forward: 'x-*' }] } }, instead],
    ['headers.rules[0].remove', { headers: { rules: [{ remove: 'x-*' }] } }, aName],
    ['headers.rules[0].rename', { headers: { rules: [{ rename: 'x-*', to: 'y' }] } }, aName],
    [
      'headers.respond[0]',
      { headers: { respond: ['x-*'] } },
      'a header name, or { name, merge } with merge first, last, append',
    ],
    [
      'headers.respond[0]',
      { headers: { respond: [{ name: '*', merge: 'last' }] } },
      'a header name, or { name, merge } with merge first, last, append',
    ],
    ['signing.header', { signing: { header: 'x-*' } }, aName],
  ])('is refused in %s of a subgraph, because it is no pattern', (path, section, expected) => {
    expect(problemsOf(section)).toEqual([`subgraphs.all.${path} ${isNoPattern} ${expected}`]);
  });

  test('is refused in every other option with names of headers', () => {
    const problems = findConfigProblems({
      supergraph,
      cache: { ignoreHeaders: ['x-*'] },
      contracts: { record: { clientNameHeaders: ['*'] } },
      security: {
        identity: { header: 'x-*' },
        connectionParams: ['*'],
        cors: { allowHeaders: ['x-*'], exposeHeaders: ['x-*'] },
      },
    });
    expect(
      problems.map((problem) => `${problem.path} ${problem.message}; expected: ${problem.expected}`),
    ).toEqual([
      `cache.ignoreHeaders[0] ${isNoPattern} ${exceptMessageHeaders}`,
      `security.cors.allowHeaders[0] ${isNoPattern} a header name, or * for all`,
      `security.cors.exposeHeaders[0] ${isNoPattern} a header name, or * for all`,
      `security.identity.header ${isNoPattern} ${exceptMessageHeaders}`,
      `security.connectionParams[0] ${isNoPattern} ${exceptMessageHeaders}`,
      `contracts.record.clientNameHeaders[0] ${isNoPattern} ${exceptMessageHeaders}`,
    ]);
  });

  test('stands for all headers in security.cors', () => {
    const cors = { allowHeaders: ['*'], exposeHeaders: ['*'] };
    expect(parseConfig({ supergraph, security: { cors } }).security.cors).toMatchObject(cors);
  });
});

describe('response headers in the configuration', () => {
  test('are names, or names with a merge', () => {
    const respond = ['X-Cost', { name: 'x-tag', merge: 'append' as const }, 'set-cookie', 'cache-control'];
    const config = parseConfig({ supergraph, subgraphs: { all: { headers: { respond } } } });
    expect(config.subgraphs.all.headers.respond).toEqual([
      { name: 'x-cost', merge: 'last' },
      { name: 'x-tag', merge: 'append' },
      { name: 'set-cookie', merge: 'append' },
      { name: 'cache-control', merge: 'last' },
    ]);
    expect(parseConfig(parse(printConfig(config)))).toEqual(config);
  });

  test.each<[unknown, string]>([
    ['transfer-encoding', 'is "transfer-encoding", which belongs to a single connection (RFC 9110, 7.6.1)'],
    ['content-length', 'is "content-length", which describes a message that the gateway writes itself'],
    ['Access-Control-Allow-Origin', 'is "access-control-allow-origin", which is decided by security.cors'],
    ['vary', 'is "vary", which is written by the gateway itself'],
    ['etag', 'is "etag", which is about the subgraph\'s response, and the client gets another one'],
    [
      { name: 'set-cookie', merge: 'last' },
      'has merge last for set-cookie, which has a line for each cookie',
    ],
    [
      { name: 'cache-control', merge: 'append' },
      'has merge append for cache-control, which is merged to the strictest',
    ],
    [{ name: 'x-a', merge: 'sum' }, 'is a section'],
    [{ name: 'x-a', other: 1 }, 'is a section'],
    [7, 'is 7'],
    ['x a', 'is "x a"'],
  ])('are refused with the reason: %j', (entry, problem) => {
    const [first, ...others] = problemsOf({ headers: { respond: [entry] } });
    expect(first?.startsWith(`subgraphs.all.headers.respond[0] ${problem}; expected: `)).toBe(true);
    expect(others).toEqual([]);
  });
});

describe('certificates and signatures in the configuration', () => {
  test('need both a certificate and its key, where a section sets one', () => {
    const subgraphs = {
      all: { tls: { cert: 'cert.pem', key: 'key.pem' } },
      reviews: { tls: { key: '' } },
      stock: { tls: { ca: 'ca.pem' } },
    };
    expect(findConfigProblems({ supergraph, subgraphs })).toEqual([
      {
        path: 'subgraphs.reviews.tls.key',
        message: 'is missing, and `cert` is set',
        expected: 'both the certificate and its key, or neither',
      },
    ]);
  });

  test('need a signature header that no rule sends', () => {
    const subgraphs = {
      all: { headers: { forward: ['X-Sig'] } },
      reviews: { signing: { secret: 'x', header: 'x-sig' } },
      stock: { signing: { header: 'x-sig' } },
      // Gets the signature of the client.
      partner: { signing: { secret: 'x', header: 'x-sig', enabled: false } },
    };
    expect(findConfigProblems({ supergraph, subgraphs })).toEqual([
      {
        path: 'subgraphs.reviews.signing.header',
        message: 'is "x-sig", which `headers` of the subgraph sets or forwards',
        expected: 'a header that nothing else writes',
      },
    ]);
  });

  test('are not quoted in problems', () => {
    expect(problemsOf({ signing: { secret: 4711 } }, 'reviews')).toEqual([
      'subgraphs.reviews.signing.secret is a number instead of a text; expected: a key of at least 32 random bytes, or no `secret`, or `enabled: false`, for requests without a signature',
    ]);
  });

  test.each(['all', 'reviews'])(
    'are refused for %s with an empty secret, which would sign nothing',
    (name) => {
      for (const secret of ['', ' '])
        expect(problemsOf({ signing: { secret } }, name)).toEqual([
          `subgraphs.${name}.signing.secret is empty; expected: a key of at least 32 random bytes, or no \`secret\`, or \`enabled: false\`, for requests without a signature`,
        ]);
    },
  );

  test('are off without a secret, also for a configuration that was parsed or printed before', () => {
    const config = parseConfig({ supergraph, subgraphs: { reviews: { signing: { header: 'x-sig' } } } });
    expect([config.subgraphs.all.signing, subgraphPolicyOf(config, 'reviews').signing]).toEqual([
      { enabled: true, header: 'x-tributary-signature' },
      { enabled: true, header: 'x-sig' },
    ]);
    expect(parseConfig(config)).toEqual(config);
    expect(parseConfig(parse(printConfig(config)))).toEqual(config);
  });

  test('inherit the secret of all', () => {
    const config = parseConfig({
      supergraph,
      subgraphs: { all: { signing: { secret: 's' } }, reviews: { signing: { header: 'x-sig' } } },
    });
    expect(subgraphPolicyOf(config, 'reviews').signing).toEqual({
      enabled: true,
      secret: 's',
      header: 'x-sig',
    });
  });

  test('of one subgraph can be turned off', () => {
    const config = parseConfig({
      supergraph,
      subgraphs: { all: { signing: { secret: 's' } }, partner: { signing: { enabled: false } } },
    });
    const signings = ['partner', 'reviews'].map((name) => signingOf(subgraphPolicyOf(config, name)));
    expect(signings).toEqual([undefined, { secret: 's', header: 'x-tributary-signature' }]);
  });

  test('are printed without secrets and without the values of headers', () => {
    const printed = printConfig(
      parseConfig({
        supergraph,
        subgraphs: {
          all: {
            signing: { secret: 'canary-1' },
            headers: { rules: [{ set: 'authorization', value: 'canary-2' }] },
          },
          reviews: { signing: { secret: 'canary-3' }, headers: { rules: [{ set: 'x', value: 'canary-4' }] } },
        },
      }),
    );
    expect(printed).not.toContain('canary');
    expect(parse(printed).subgraphs.reviews).toEqual({
      headers: { rules: [{ set: 'x', value: '***' }] },
      signing: { secret: '***' },
    });
  });
});
