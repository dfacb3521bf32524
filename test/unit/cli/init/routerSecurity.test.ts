import { describe, expect, test } from '@jest/globals';
import { parse as parseYaml } from 'yaml';
import { loadTrustedDocuments } from '../../../../gateway/admission/documents/trustedDocumentsFeature.ts';
import { parseConfig } from '../../../../gateway/config/parseConfig.ts';
import { systemTimers } from '../../../../gateway/time/timers.ts';

import { read, routerTimeouts, run, translate, write } from './initFixture.ts';

describe('the translation of the security of Apollo Router', () => {
  test('applies the header operations of a subgraph after those of all subgraphs', () => {
    const { options, notes } = translate(`
      headers:
        all:
          request:
            - propagate: { named: Authorization }
            - propagate: { named: x-old, rename: x-new }
            - propagate: { matching: ^x-acme-.* }
            - insert: { name: x-a, from_context: a }
            - remove: { matching: ^x-b }
        subgraphs:
          reviews:
            request:
              - remove: { named: x-acme-secret }
              - propagate: { named: x-tenant, default: none }
    `);
    const rules = [{ rename: 'x-old', to: 'x-new' }, { forwardMatching: '^x-acme-' }];
    expect(options).toMatchObject({
      subgraphs: {
        all: { headers: { forward: ['authorization'], rules } },
        reviews: {
          headers: { forward: ['authorization', 'x-tenant'], rules: [...rules, { remove: 'x-acme-secret' }] },
        },
      },
    });
    expect(notes).toEqual(
      expect.arrayContaining([
        'headers.all: insert x-a: a value from context or body needs an extension with subgraphHeaders',
        'headers.all: remove matching ^x-b: only headers by name can be removed',
        'headers.subgraphs.reviews: propagate x-tenant: a default value is not available; an extension can set it',
      ]),
    );
  });

  test.each([
    ['{ named: x-a }, { named: x-a, rename: x-b }', ['x-a'], [], 'propagate x-a as x-b: x-a is sent as x-a'],
    [
      '{ named: x-a, rename: x-b }, { named: x-a }',
      [],
      [{ rename: 'x-a', to: 'x-b' }],
      'propagate x-a as x-a: x-a is sent as x-b',
    ],
    [
      '{ named: x-a, rename: x-b }, { named: X-A, rename: x-c }',
      [],
      [{ rename: 'x-a', to: 'x-b' }],
      'propagate x-a as x-c: x-a is sent as x-b',
    ],
    [
      '{ named: x-a, rename: x-b }, { named: x-b }',
      [],
      [{ rename: 'x-a', to: 'x-b' }],
      'propagate x-b as x-b: x-a is sent as x-b',
    ],
    [
      '{ named: x-a, rename: b }, { matching: ^x- }',
      [],
      [{ rename: 'x-a', to: 'b' }, { forwardMatching: '^x-' }],
      'propagate matching ^x-: x-a is sent as b only',
    ],
    ['{ named: x-a, rename: b }, { named: x-a, rename: b }', [], [{ rename: 'x-a', to: 'b' }], undefined],
  ])('has a note for a header that is sent under one name only: %s', (operations, forward, rules, reason) => {
    const request = operations.replaceAll(/\{[^}]*\}/g, '{ propagate: $& }');
    const { options, notes } = translate(`headers: { all: { request: [${request}] } }`);
    expect(options).toMatchObject({
      subgraphs: { all: { headers: { forward, ...(rules.length === 0 ? {} : { rules }) } } },
    });
    expect(notes).toEqual(reason === undefined ? [] : [expect.stringContaining(`headers.all: ${reason}`)]);
  });

  test('has a note for a list of operations that is none', () => {
    expect(translate('headers: { all: { request: { propagate: a } } }').notes).toEqual([
      'headers.all.request: is not a list of operations',
    ]);
  });

  test('sends a header that one subgraph gets although it is removed for all', () => {
    const { options } = translate(`
      headers:
        all: { request: [propagate: { matching: .* }, remove: { named: authorization }] }
        subgraphs:
          a: { request: [propagate: { named: authorization }] }
          b: { request: [propagate: { named: authorization, rename: x-token }] }
    `);
    const all = { forwardMatching: '.*' };
    expect(options.subgraphs).toMatchObject({
      all: { headers: { forward: [], rules: [all, { remove: 'authorization' }] } },
      a: { headers: { forward: ['authorization'], rules: [all] } },
      b: { headers: { rules: [all, { rename: 'authorization', to: 'x-token' }] } },
    });
  });

  test.each([
    ['.*', '.*'],
    ['^x-.*', '^x-'],
    [String.raw`^x\.*`, String.raw`^x\.*`],
  ])('keeps the meaning of the expression %s for the names of headers', (matching, forwardMatching) => {
    const { options } = translate(
      `headers: { all: { request: [{ propagate: { matching: '${matching}' } }] } }`,
    );
    expect(options).toMatchObject({
      subgraphs: { all: { headers: { forward: [], rules: [{ forwardMatching }] } } },
    });
  });

  test('drops only the algorithm that the gateway does not support, and still verifies tokens', () => {
    const { options, notes } = translate(`
      authentication: { router: { jwt: { jwks: [{ url: https://a.test/jwks, issuers: [https://a.test/], algorithms: [RS256, HS256] }] } } }
    `);
    expect(options.security).toEqual({
      jwt: {
        issuers: [{ jwks: 'https://a.test/jwks', issuer: 'https://a.test/', algorithms: ['RS256'] }],
      },
    });
    expect(notes).toContainEqual(
      expect.stringContaining('jwks: security.jwt.issuers[0].algorithms[1] is "HS256"'),
    );
  });

  test('keeps the header of tokens when there are other sources, of which it takes the first cookie', () => {
    const { options, notes } = translate(`
      authentication: { router: { jwt: { jwks: [{ url: https://a.test/jwks }], sources: [
        { type: header, name: X-Partner, value_prefix: Token },
        { type: cookie, name: sid },
        { type: cookie, name: other },
        { type: query }] } } }
    `);
    expect(options.security).toEqual({ jwt: { issuers: [{ jwks: 'https://a.test/jwks' }], cookie: 'sid' } });
    const source = 'authentication.router.jwt.sources';
    expect(notes.filter((text) => text.startsWith(source))).toEqual([
      `${source}[0].value_prefix: a prefix of tokens is not available`,
      `${source}[0]: tokens in the header X-Partner are not read: there is one header for tokens, security.jwt.header`,
      `${source}[2]: tokens in the cookie other are not read: there is one cookie for tokens, security.jwt.cookie`,
      `${source}[3]: is not translated; see docs/migration/apollo-router.md`,
    ]);
  });

  test('drops only the issuer of which no part is valid', () => {
    const { options } = translate(`
      authentication: { router: { jwt: { jwks: [
        { url: https://a.test/jwks, issuers: [https://a.test/], audiences: [''] },
        { url: https://b.test/jwks, issuers: [https://b.test/], algorithms: [HS256] },
        { url: https://c.test/jwks, issuers: [https://c.test/], audiences: shop },
        { url: https://d.test/jwks, issuers: https://d.test/ }] } } }
    `);
    expect(options.security).toEqual({
      jwt: { issuers: [{ jwks: 'https://d.test/jwks', issuer: 'https://d.test/' }] },
    });
  });

  test.each([
    ['only HS256', '{ url: https://a.test/jwks, algorithms: [HS256] }', 'algorithms[0] is "HS256"'],
    ['keys in a file', '{ url: file:///etc/jwks.json }', 'keys are fetched over HTTP only'],
    ['no key set', '', 'no key set of authentication.router.jwt can be translated'],
  ])('writes nothing when clients would not be authenticated any more: %s', async (_, keySets, reason) => {
    write('router.yaml', `authentication: { router: { jwt: { jwks: [${keySets}] } } }`);
    const { code, stdout, stderr } = await run('init', '--apollo-router', 'router.yaml');
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^Nothing was written: Apollo Router verifies tokens, but /);
    expect(stderr).toContain(reason);
    expect(() => read()).toThrow('ENOENT');
  });

  test('writes nothing when authentication is required and nothing verifies tokens', async () => {
    write('router.yaml', 'authorization: { require_authentication: true }');
    expect(await run('init', '--apollo-router', 'router.yaml')).toEqual({
      code: 2,
      stdout: '',
      stderr:
        'Nothing was written: authorization.require_authentication needs verified tokens, but the configuration has no authentication.router.jwt. Remove authorization.require_authentication, and set security.jwt in the written file by hand.\n',
    });
    expect(translate('authorization: { require_authentication: false }').options.security).toBeUndefined();
  });

  test.each([
    ['[propagate: { named: x-tenant }, propagate: { named: Connection }]', ['x-tenant'], undefined],
    ['[propagate: { named: host }]', [], undefined],
    ['[propagate: { named: "a b" }, propagate: { named: x-a }]', ['x-a'], undefined],
    ['[propagate: { named: "a b" }]', [], undefined],
    ['[propagate: { named: host, rename: x-host }, insert: { name: content-type, value: a }]', [], undefined],
    ['[propagate: { matching: ^x- }, remove: { named: host }, propagate: { matching: "(" }]', [], ['^x-']],
  ])(
    'never forwards headers by default in place of a header that cannot be forwarded: %s',
    (request, forward, matching) => {
      const { options, notes } = translate(`headers: { all: { request: ${request} } }`);
      const rules = matching?.map((forwardMatching) => ({ forwardMatching }));
      expect(options.subgraphs).toEqual({
        all: { headers: { forward, ...(rules === undefined ? {} : { rules }) }, timeouts: routerTimeouts },
      });
      expect(notes).toContainEqual(expect.stringMatching(/^headers\.all: /));
    },
  );

  test('never applies the headers of all subgraphs in place of an empty list of one', () => {
    const { options } = translate(`
      headers:
        all: { request: [propagate: { named: authorization }] }
        subgraphs: { a: { request: [remove: { named: authorization }, propagate: { named: "a b" }] } }
    `);
    expect(options.subgraphs).toEqual({
      all: { headers: { forward: ['authorization'] }, timeouts: routerTimeouts },
      a: { headers: { forward: [] } },
    });
  });

  test('writes the audiences and algorithms of each issuer of a key set', async () => {
    write(
      'router.yaml',
      'authentication: { router: { jwt: { jwks: [{ url: https://a.test/jwks, issuers: [https://a.test/, https://b.test/], audiences: [shop], algorithms: [RS256] }] } } }',
    );
    expect(await run('init', '--apollo-router', 'router.yaml')).toMatchObject({ code: 0 });
    expect(read().match(/^ +audiences:\n +- shop\n +algorithms:\n +- RS256\n/gm)).toHaveLength(2);
  });

  test('drops the key set without issuers, with its reason, when there are several', () => {
    const { options, notes } = translate(`
      authentication: { router: { jwt: { jwks: [{ url: https://a.test/jwks }, { url: https://b.test/jwks, issuers: [https://b.test/], headers: [null, { name: X-Key, value: k }] }] } } }
    `);
    expect(options.security).toEqual({
      jwt: {
        issuers: [{ jwks: 'https://b.test/jwks', issuer: 'https://b.test/', headers: { 'X-Key': 'k' } }],
      },
    });
    expect(notes).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/jwks: security\.jwt\.issuers\[0\]\.issuer is empty, but there are several/),
        'authentication.router.jwt.jwks[1].headers[0]: has no name',
      ]),
    );
  });

  test('drops only the invalid origins of CORS', () => {
    const { options, notes } = translate(
      'cors: { policies: [{ origins: [https://a.test, https://b.test/] }, { origins: [https://c.test] }] }',
    );
    expect(options.security).toEqual({ cors: { origins: ['https://a.test', 'https://c.test'] } });
    expect(notes).toContainEqual(
      expect.stringContaining('cors.policies: security.cors.origins[1] is "https://b.test/"'),
    );
  });

  test('requires a manifest, without which the gateway does not start, in place of a safelist of GraphOS', async () => {
    write('router.yaml', 'persisted_queries: { enabled: true, safelist: { enabled: true } }');
    const { code, stdout } = await run('init', '--apollo-router', 'router.yaml');
    expect(code).toBe(0);
    expect(stdout).toContain('The gateway does not start without it');
    expect(parseYaml(read()).security).toEqual({
      trustedDocuments: { mode: 'require', manifest: 'persisted-query-manifest.json' },
    });
    const config = parseConfig(parseYaml(read()));
    await expect(loadTrustedDocuments({ config, log: console, timers: systemTimers })).rejects.toThrow(
      'persisted-query-manifest.json does not exist. Name an existing file in UTF-8.',
    );
  });

  test('leaves out the list of GraphOS when clients may send other operations, too', () => {
    const { options, notes } = translate('persisted_queries: { enabled: true }');
    expect(options.security).toBeUndefined();
    expect(notes).toEqual([expect.stringMatching(/^persisted_queries: lists of GraphOS are not fetched/)]);
  });

  // biome-ignore-start lint/suspicious/noTemplateCurlyInString: references of the configuration
  test.each<[string, string, { limits?: object; security?: object }]>([
    [
      'persisted_queries.enabled',
      "persisted_queries: { enabled: '${env.A}', safelist: { enabled: true }, local_manifests: [a.json] }",
      { security: { trustedDocuments: { mode: 'require', manifest: ['a.json'] } } },
    ],
    [
      'persisted_queries.safelist.enabled',
      "persisted_queries: { enabled: true, safelist: { enabled: '${env.A}' }, local_manifests: [a.json] }",
      { security: { trustedDocuments: { mode: 'require', manifest: ['a.json'] } } },
    ],
    [
      'demand_control.enabled',
      "demand_control: { enabled: '${env.A}', mode: enforce, strategy: { static_estimated: { max: 9 } } }",
      { limits: { cost: { max: 9 } } },
    ],
    [
      'demand_control.mode',
      "demand_control: { enabled: true, mode: '${env.A}', strategy: { static_estimated: { max: 9 } } }",
      { limits: { cost: { max: 9 } } },
    ],
    ['batching.enabled', "batching: { enabled: '${env.A}', maximum_size: 5 }", {}],
    [
      'authorization.directives.reject_unauthorized',
      "authorization: { directives: { reject_unauthorized: '${env.A}' } }",
      { security: { authorization: { onDenied: 'reject' } } },
    ],
    ['sandbox.enabled', "sandbox: { enabled: '${env.A}' }", { security: { graphiql: false } }],
    ['cors.allow_any_origin', "cors: { allow_any_origin: '${env.A}' }", {}],
    [
      'include_subgraph_errors.subgraphs',
      'include_subgraph_errors: { all: true, subgraphs: { a: false } }',
      { security: { exposeSubgraphErrors: false } },
    ],
    [
      'include_subgraph_errors.subgraphs',
      'include_subgraph_errors: { all: true, subgraphs: { a: true } }',
      { security: { exposeSubgraphErrors: true } },
    ],
  ])('allows clients no more than Apollo Router did, with a note about %s: %s', (subject, yaml, expected) => {
    const { options, notes } = translate(yaml);
    const { listen: _, subgraphs: __, ...others } = options;
    expect(others).toEqual({ ...expected, limits: { bodySize: '2000000B', ...expected.limits } });
    expect(notes.filter((text) => text.startsWith(subject))).toHaveLength(1);
  });
  // biome-ignore-end lint/suspicious/noTemplateCurlyInString: references of the configuration

  test.each([
    ['[{ origins: [A], allow_credentials: true }, { origins: [B] }]', { credentials: false }],
    [
      '[{ origins: [A] }, { origins: [B], allow_credentials: false }], allow_credentials: true',
      { credentials: false },
    ],
    ['[{ origins: [A], allow_credentials: true }, { match_origins: [^b] }]', { credentials: false }],
    [
      '[{ origins: [A], allow_headers: [x-a, x-b] }, { origins: [B] }], allow_headers: [x-b, x-c]',
      { allowHeaders: ['x-b'] },
    ],
    ['[{ origins: [A], allow_headers: [x-a] }, { origins: [B] }]', { allowHeaders: ['x-a'] }],
    ['[{ origins: [A], expose_headers: [x-a] }, { origins: [B] }]', { exposeHeaders: [] }],
    ['[{ origins: [A], max_age: 2h }, { origins: [B] }]', { maxAge: '0s' }],
  ])('lets no origin do more than its own CORS policy did: %s', (policies, expected) => {
    const { options, notes } = translate(
      `cors: { policies: ${policies.replaceAll(/[AB]/g, (name) => `https://${name.toLowerCase()}.test`)} }`,
    );
    const { origins: _, ...cors } = (options.security as { cors: Record<string, unknown> }).cors;
    expect(cors).toEqual(expected);
    expect(notes).toContainEqual(expect.stringMatching(/^cors\.policies: the policies differ in /));
  });

  test('translates options of CORS that all policies share, or have from the general ones', () => {
    const { options, notes } = translate(`
      cors: { allow_credentials: true, allow_headers: [x-a], policies: [
        { origins: [https://a.test], expose_headers: [x-b] },
        { origins: [https://b.test], expose_headers: [x-b], allow_credentials: true, allow_headers: [] }] }
    `);
    expect(options.security).toEqual({
      cors: {
        origins: ['https://a.test', 'https://b.test'],
        credentials: true,
        allowHeaders: ['x-a'],
        exposeHeaders: ['x-b'],
      },
    });
    expect(notes).toEqual([]);
  });

  test('allows only the origins of the policies when any origin is allowed besides', () => {
    const { options, notes } = translate(
      'cors: { allow_any_origin: true, allow_headers: [x-a], policies: [{ origins: [https://a.test] }] }',
    );
    expect(options.security).toEqual({ cors: { origins: ['https://a.test'], allowHeaders: ['x-a'] } });
    expect(notes).toEqual(['cors.allow_any_origin: only the origins of the policies are allowed']);
  });

  test('has a note for the expressions of each CORS policy', () => {
    const { options, notes } = translate(`
      cors: { allow_headers: [x-a], policies: [
        { origins: [https://a.test], allow_credentials: true, match_origins: [^https://b] },
        { match_origins: [^https://c], allow_credentials: true }] }
    `);
    expect(options.security).toEqual({
      cors: { allowHeaders: ['x-a'], origins: ['https://a.test'], credentials: true },
    });
    expect(notes).toEqual(
      [0, 1].map(
        (index) =>
          `cors.policies[${index}].match_origins: expressions are not available: list these origins in security.cors.origins, with https://*.shop.example for subdomains`,
      ),
    );
  });

  test.each([
    ['allow_any_origin: true', true],
    ['policies: [{ origins: [https://a.test] }]', true],
    ['policies: [{ origins: [https://a.test] }], allow_headers: []', true],
    ['policies: [{ origins: [https://a.test] }], allow_headers: [sentry-trace]', false],
    ['policies: [{ origins: [https://a.test], allow_headers: [sentry-trace] }]', false],
    ['max_age: 2h', false],
  ])('says that other headers of preflight requests are refused with cors {%s}: %s', (yaml, expected) => {
    const { notes } = translate(`cors: { ${yaml} }`);
    expect(notes.some((text) => text.startsWith('cors.allow_headers: '))).toBe(expected);
  });
});
