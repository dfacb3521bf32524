import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { parse as parseYaml } from 'yaml';
import { loadTrustedDocuments } from '../../../gateway/admission/documents/trustedDocumentsFeature.ts';
import { ConfigDraft } from '../../../gateway/cli/init/configDraft.ts';
import { translateApolloRouter } from '../../../gateway/cli/init/fromApolloRouter.ts';
import { suggestedSections } from '../../../gateway/cli/init/printDraft.ts';
import { routerAddress, routerDurationMs } from '../../../gateway/cli/init/routerValues.ts';
import { parseConfig } from '../../../gateway/config/parseConfig.ts';
import { systemTimers } from '../../../gateway/time/timers.ts';
import { runCommandInProcess } from '../../harness/commandInProcess.ts';
import { composeSubgraphs } from '../../harness/composeSubgraphs.ts';
import { createTemporaryDirectory } from '../../harness/suiteResources.ts';

const root = join(import.meta.dirname, '../../..');

let folder: string;
beforeEach(() => {
  folder = createTemporaryDirectory();
});

const run = (...args: readonly string[]) => runCommandInProcess(args, folder);
const read = (file = 'tributary.yaml') => readFileSync(join(folder, file), 'utf8');
const write = (file: string, text: string) => writeFileSync(join(folder, file), text);

const products = { name: 'products', url: 'http://127.0.0.1:1/', sdl: 'type Query { name: String }' };

/** The timeouts of Apollo Router without `traffic_shaping`. */
const routerTimeouts = { attempt: '30s', deadline: '30s' };

/** The options and notes of a translated configuration, without the note about a missing section `subscription`. */
function translate(yaml: string) {
  const draft = new ConfigDraft();
  draft.set(['supergraph', 'file'], 'supergraph.graphql');
  translateApolloRouter(parseYaml(yaml), draft);
  expect(draft.dropInvalid()).toEqual([]);
  const { supergraph: _, ...options } = draft.toOptions();
  const notes = draft.notes.filter(({ subject }) => subject !== 'subscription');
  return { options, notes: notes.map(({ subject, text }) => `${subject}: ${text}`) };
}

describe('tributary init', () => {
  test('writes a configuration for a supergraph file with which an operation can be planned', async () => {
    write('supergraph.graphql', await composeSubgraphs([products]));
    write('operation.graphql', '{ name }');
    expect(await run('init', '--supergraph', 'supergraph.graphql')).toEqual({
      code: 0,
      stdout: expect.stringMatching(
        /^Written: tributary\.yaml\n(.*\n)*Next: npx tributary dev, or in production npx tributary serve\n$/,
      ),
      stderr: '',
    });
    expect(parseYaml(read())).toEqual({
      listen: { host: '127.0.0.1', port: 4000 },
      admin: { host: '127.0.0.1', port: 4001 },
      supergraph: { file: 'supergraph.graphql' },
      subgraphs: {
        all: {
          timeouts: { attempt: '5s', deadline: '15s' },
          headers: { forward: ['authorization', 'accept-language'] },
        },
      },
    });
    expect(read()).toContain('  # TCP port; 0 selects a free port.\n  port: 4000\n');
    const plan = await run('plan', 'operation.graphql');
    expect(plan).toMatchObject({ code: 0, stdout: expect.stringContaining('Fetch(service: "products")') });
  });

  test('writes a configuration for running subgraphs into the named file', async () => {
    const subgraphs = ['--subgraph', 'a=http://127.0.0.1:4101/graphql', '--subgraph', 'b.c=https://b.test/'];
    expect(await run('init', ...subgraphs, '--out', 'two.yaml')).toEqual({
      code: 0,
      stdout:
        'Written: two.yaml\nNext: npx tributary dev --config two.yaml, or in production npx tributary serve --config two.yaml\n',
      stderr: '',
    });
    expect(parseYaml(read('two.yaml')).supergraph).toEqual({
      subgraphs: [
        { name: 'a', url: 'http://127.0.0.1:4101/graphql' },
        { name: 'b.c', url: 'https://b.test/' },
      ],
      pollInterval: '10s',
    });
    expect(await run('config', 'print', '--config', 'two.yaml')).toMatchObject({ code: 0, stderr: '' });
  });

  test('translates the example of docs/migration/apollo-router.md to the one beside it', async () => {
    const page = readFileSync(join(root, 'docs/migration/apollo-router.md'), 'utf8');
    const [, router = ''] = /^```yaml router\.yaml\n([\s\S]*?)^```$/m.exec(page) ?? [];
    const [, tributary = ''] = /^becomes:\n\n```yaml\n([\s\S]*?)^```$/m.exec(page) ?? [];
    write('router.yaml', router);
    expect(await run('init', '--apollo-router', 'router.yaml')).toMatchObject({ code: 0, stderr: '' });
    // The page rounds the number of bytes.
    const expected = tributary.replace('bodySize: 2MB', 'bodySize: 2000000B');
    expect(expected).not.toBe(tributary);
    expect(parseConfig(parseYaml(read()))).toEqual(parseConfig(parseYaml(expected)));
  });

  test('prints and writes what is not translated and which values the gateway refuses', async () => {
    write('router.yaml', 'limits: { max_depth: -1, max_aliases: 30 }\nrhai: { main: main.rhai }\nmine: 1\n');
    const { stdout } = await run('init', '--apollo-router', 'router.yaml');
    const notes = [
      'rhai: an extension replaces the scripts: docs/migration/apollo-router.md',
      'mine: is not translated; see docs/migration/apollo-router.md',
      'limits.max_depth: limits.depth is -1; expected: a whole number of at least 1',
    ];
    for (const note of notes) {
      expect(stdout).toContain(`\n  ${note}\n`);
      expect(read()).toContain(`\n# - ${note}\n`);
    }
    expect(parseYaml(read()).limits).toEqual({ bodySize: '2000000B', aliases: 30 });
  });

  test('writes over an existing file only with --force', async () => {
    write('tributary.yaml', 'mine');
    const args = ['init', '--subgraph', 'a=http://127.0.0.1:4101/graphql'];
    expect(await run(...args)).toEqual({
      code: 2,
      stdout: '',
      stderr: 'Nothing was written, because tributary.yaml exists. --force replaces it.\n',
    });
    expect(read()).toBe('mine');
    expect(await run(...args, '--force')).toMatchObject({ code: 0 });
    expect(read()).toContain('name: a');
  });

  test.each<[string, string[], string]>([
    [
      'nothing to begin with',
      [],
      'Name what to begin with: --supergraph FILE, --subgraph NAME=URL for each running subgraph, or --apollo-router router.yaml.',
    ],
    [
      'two sources',
      ['--supergraph', 'a.graphql', '--subgraph', 'a=http://a'],
      'The supergraph is either a file (--supergraph) or composed of running subgraphs (--subgraph), not both.',
    ],
    [
      'an empty path',
      ['--supergraph', ''],
      "error: option '-s, --supergraph <file>' is empty\nSee `tributary init --help`.",
    ],
    ['a missing file', ['--supergraph', 'missing.graphql'], 'missing.graphql does not exist.'],
    [
      'a subgraph without a URL',
      ['--subgraph', 'reviews=localhost'],
      '--subgraph reviews=localhost is not NAME=URL, such as reviews=http://localhost:4104/graphql.',
    ],
    [
      'the schema of a subgraph',
      ['--supergraph', 'subgraph.graphql'],
      'subgraph.graphql is not a supergraph: it has no enum join__Graph. The schemas of subgraphs are composed with `tributary compose`, or name the running subgraphs with --subgraph NAME=URL.',
    ],
    [
      'a file that is no schema',
      ['--supergraph', 'router.yaml'],
      'router.yaml:1:1 is not a schema: Syntax Error: Unexpected "[".',
    ],
    [
      'a list instead of a configuration',
      ['--apollo-router', 'router.yaml'],
      'router.yaml is not a configuration of Apollo Router: it has no sections.',
    ],
    [
      'a configuration with an alias of nothing',
      ['--apollo-router', 'alias.yaml'],
      'The configuration is invalid:\n  alias.yaml:1:10 has an alias (text that begins with `*`) without its anchor (`&`); expected: texts that begin with * in quotes',
    ],
    [
      'a configuration that contains itself',
      ['--apollo-router', 'circle.yaml'],
      'The configuration is invalid:\n  circle.yaml:1:22 has an alias (`*`) inside of what it stands for (`&`); expected: no such alias',
    ],
    [
      'a directory as output',
      ['--subgraph', 'a=http://a', '--out', '.'],
      'Nothing was written, because . is a directory.',
    ],
    [
      'a directory as output with --force',
      ['--subgraph', 'a=http://a', '--out', '.', '--force'],
      'Nothing was written, because . is a directory.',
    ],
    [
      'two subgraphs of one name',
      ['--subgraph', 'a=http://a', '--subgraph', 'a=http://b'],
      'The configuration is invalid:\n  supergraph.subgraphs[1].name is "a", which is already used; expected: unique names',
    ],
  ])('refuses %s with what to do, and writes nothing', async (_, args, message) => {
    write('subgraph.graphql', 'type Query { name: String }');
    write('router.yaml', '[a]');
    write('alias.yaml', 'headers: *all');
    write('circle.yaml', 'headers: &all { all: *all }');
    expect(await run('init', ...args)).toEqual({ code: 2, stdout: '', stderr: `${message}\n` });
    expect(() => read()).toThrow('ENOENT');
  });

  test.each(Object.entries(suggestedSections))('suggests a valid section %s', (name, text) => {
    const section = parseYaml(
      text
        .split('\n')
        .filter((line) => !/^# [A-Z]/.test(line))
        .map((line) => line.replace(/^# /, '').replace(/\$\{[^}]*\}/, ''))
        .join('\n'),
    );
    expect(Object.keys(section)).toEqual([name]);
    expect(() => parseConfig({ supergraph: { file: 'a' }, ...section })).not.toThrow();
  });
});

describe('the translation of Apollo Router', () => {
  test('translates each section', () => {
    expect(
      translate(`
        supergraph: { listen: '[::]:\${env.PORT:-4000}', introspection: true, connection_shutdown_timeout: 1m 30s }
        tls: { supergraph: { certificate_chain: '\${file./a.pem}', key: '\${file./k.pem}' }, subgraph: { all: { certificate_authorities: '\${file./ca.pem}' } } }
        cors: { policies: [{ origins: [https://a.test] }, { origins: [https://b.test], allow_credentials: true }], max_age: 2h }
        csrf: { unsafe_disabled: true }
        batching: { enabled: true, mode: batch_http_link, maximum_size: 10 }
        apq: { router: { cache: { redis: { urls: [redis://redis:6379], ttl: 1d } } } }
        persisted_queries: { enabled: true, safelist: { enabled: true }, local_manifests: [a.json] }
        authentication: { router: { jwt: { header_name: X-Token, jwks: [{ url: https://a.test/jwks, poll_interval: 60s }] } } }
        authorization: { require_authentication: true, directives: { enabled: true, reject_unauthorized: true } }
        demand_control: { enabled: true, mode: enforce, strategy: { static_estimated: { max: 1000, list_size: 5 } } }
        override_subgraph_url: { a.b: http://a.test/graphql }
        traffic_shaping: { all: { timeout: 20s, deduplicate_query: false }, subgraphs: { b: { experimental_http2: disable } } }
        subscription: { enabled: true, mode: { passthrough: { all: { path: /ws } }, callback: { public_url: 'https://g.test:4000/callback', subgraphs: [c], heartbeat_interval: 5s } }, max_opened_subscriptions: 100 }
        response_cache: { enabled: true, subgraph: { all: { enabled: true, ttl: 60s }, subgraphs: { products: { ttl: 5m } } } }
        telemetry: { exporters: { logging: { stdout: { format: text } }, tracing: { otlp: { enabled: true, endpoint: http://otel:4318, protocol: http } } } }
      `),
    ).toEqual({
      options: {
        listen: {
          host: '::',
          // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference of the configuration
          port: '${PORT:-4000}',
          drainTimeout: '90s',
          tls: { cert: '/a.pem', key: '/k.pem' },
          publicUrl: 'https://g.test:4000',
          path: '/',
        },
        subgraphs: {
          all: {
            tls: { ca: '/ca.pem' },
            timeouts: { attempt: '20s', deadline: '30s' },
            subscription: { path: '/ws' },
            headers: { forward: [] },
          },
          'a.b': { url: 'http://a.test/graphql' },
          b: { http2: 'off' },
          c: { subscription: { protocol: 'http_callback' } },
        },
        security: {
          introspection: true,
          cors: { maxAge: '2h', origins: ['https://a.test', 'https://b.test'], credentials: false },
          csrf: false,
          trustedDocuments: { mode: 'require', manifest: ['a.json'] },
          jwt: {
            refreshInterval: '1m',
            issuers: [{ jwks: 'https://a.test/jwks' }],
            header: 'x-token',
            required: true,
          },
          authorization: { onDenied: 'reject' },
        },
        limits: { bodySize: '2000000B', batchedOperations: 10, cost: { listSize: 5, max: 1000 } },
        redis: { url: 'redis://redis:6379' },
        http: { persistedQueries: { ttl: '1d' } },
        batching: { acrossRequests: false },
        subscriptions: { heartbeat: '5s', total: 100 },
        cache: { rules: { 'subgraph:products': { maxAge: '5m' } } },
        telemetry: { logFormat: 'pretty', otlp: { endpoint: 'http://otel:4318' } },
      },
      notes: [
        'cors.policies: the policies differ in allow_credentials, and all origins have one policy here: security.cors.credentials is false, so that no origin may do more than before',
        'cors.allow_headers: Apollo Router allows all headers that a preflight request names: list those that pages send, such as sentry-trace, in security.cors.allowHeaders',
        'response_cache.subgraph.all: nothing is cached without a rule for a type, field or subgraph: cache.rules, with maxAge 1m',
      ],
    });
  });

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
    ['disabled', '0s'],
    ['enable', '10s'],
    ['1m', '1m'],
  ])('translates the heartbeats of WebSockets, "%s", which callbacks share', (interval, heartbeat) => {
    const all = `all: { heartbeat_interval: ${interval} }`;
    expect(
      translate(`
        subscription:
          mode: { passthrough: { ${all}, subgraphs: { a: { heartbeat_interval: 5s } } }, callback: { heartbeat_interval: 5s } }
      `),
    ).toMatchObject({
      options: { subscriptions: { heartbeat } },
      notes: [
        expect.stringContaining('subscription.mode.passthrough.subgraphs.a.heartbeat_interval: '),
        'subscription.mode.callback.heartbeat_interval: WebSockets and callbacks have one interval here: subscriptions.heartbeat',
      ],
    });
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

  test('reads the options that other versions of Apollo Router 2 have', () => {
    const { options, notes } = translate(`
      cors: { allow_headers: [x-a], origins: [https://a.test], match_origins: [^https://b], allow_credentials: true }
      limits: { router: { max_depth: 7 } }
      headers: { all: { request: { operations: [propagate: { matching: (?i)^x-.* }] } } }
      authentication: { router: { jwt: { on_error: Error, jwks: [{ url: https://a.test/jwks, issuer: https://a.test/ }] } } }
      persisted_queries: { enabled: true, experimental_local_manifests: [a.json] }
      preview_response_cache: { enabled: true, subgraph: { all: { enabled: false }, subgraphs: { a: { ttl: 1m } } } }
    `);
    expect(options).toMatchObject({
      cache: { rules: { 'subgraph:a': { maxAge: '1m' } } },
      limits: { depth: 7 },
      security: {
        cors: { origins: ['https://a.test'], credentials: true, allowHeaders: ['x-a'] },
        jwt: { issuers: [{ jwks: 'https://a.test/jwks', issuer: 'https://a.test/' }] },
        trustedDocuments: { mode: 'prefer', manifest: ['a.json'] },
      },
      subgraphs: { all: { headers: { forward: [], rules: [{ forwardMatching: '^x-' }] } } },
    });
    expect(notes).toEqual([expect.stringContaining('cors.policies[0].match_origins: expressions are not')]);
  });

  test('has a note that clients can subscribe, unless they could before', async () => {
    const note = '  subscription: subscriptions are always on';
    write('router.yaml', '{}');
    expect((await run('init', '--apollo-router', 'router.yaml')).stdout).toContain(note);
    write('router.yaml', 'subscription: { mode: { passthrough: { all: { path: /ws } } } }');
    expect((await run('init', '--apollo-router', 'router.yaml', '--force')).stdout).not.toContain(note);
  });

  test.each([
    ['authentication: { jwt: { jwks: [] } }', 'authentication.jwt'],
    [
      'preview_persisted_queries: { enabled: true }\ntelemetry: { tracing: {} }',
      'preview_persisted_queries, telemetry.tracing',
    ],
  ])('writes nothing for a configuration of Apollo Router 1: %s', async (yaml, paths) => {
    write('router.yaml', yaml);
    expect(await run('init', '--apollo-router', 'router.yaml')).toEqual({
      code: 2,
      stdout: '',
      stderr: `Nothing was written: the configuration is of Apollo Router 1 (${paths}). Translate it to version 2 first: router config upgrade FILE\n`,
    });
    expect(() => read()).toThrow('ENOENT');
  });

  // biome-ignore-start lint/suspicious/noTemplateCurlyInString: references of the configuration
  test.each<[string, object]>([
    ['rediss-cluster://c.test', { cluster: { nodes: ['c.test:6379'] }, tls: { enabled: true } }],
    [
      'redis-cluster://me:p%40ss@a.test:6379?node=b.test:6380&node=c.test:6381',
      {
        cluster: { nodes: ['a.test:6379', 'b.test:6380', 'c.test:6381'] },
        username: 'me',
        password: 'p@ss',
      },
    ],
    [
      'redis-cluster://a.test:6379, redis-cluster://b.test:6379',
      { cluster: { nodes: ['a.test:6379', 'b.test:6379'] } },
    ],
    [
      'redis-sentinel://:word@s1.test:26379/2?node=s2.test:26379&sentinelServiceName=shop&sentinelPassword=other',
      {
        sentinel: { nodes: ['s1.test:26379', 's2.test:26379'], name: 'shop', password: 'other' },
        password: 'word',
        database: '2',
      },
    ],
    [
      'redis-cluster://${env.REDIS_USER:-a:b}@${env.REDIS_NODE:-c.test:6379}',
      { cluster: { nodes: ['${REDIS_NODE:-c.test:6379}'] }, username: '${REDIS_USER:-a:b}' },
    ],
    ['${env.REDIS_URL}', { url: '${REDIS_URL}' }],
  ])('translates the Redis %s to its servers', (urls, redis) => {
    const quoted = urls.split(', ').map((url) => `'${url}'`);
    const { options, notes } = translate(`apq: { router: { cache: { redis: { urls: [${quoted}] } } } }`);
    expect(options.redis).toEqual(redis);
    expect(notes).toEqual(
      urls.includes('REDIS_USER')
        ? [expect.stringMatching(/^apq\.router\.cache\.redis\.urls: user names and passwords outside/)]
        : [],
    );
  });
  // biome-ignore-end lint/suspicious/noTemplateCurlyInString: references of the configuration

  test.each([
    ['redis://a.test:6379', []],
    ['redis://b.test:6379', ['is another Redis than redis.url, and the gateway has one for everything']],
    [
      'redis-cluster://a.test:6379',
      ['is another Redis than redis.url, and the gateway has one for everything'],
    ],
  ])('has a note for a second Redis besides redis://a.test:6379, if it differs: %s', (second, expected) => {
    const { options, notes } = translate(`
      apq: { router: { cache: { redis: { urls: [redis://a.test:6379] } } } }
      response_cache: { subgraph: { all: { redis: { urls: [${second}] } } } }
    `);
    expect(options.redis).toEqual({ url: 'redis://a.test:6379' });
    expect(notes).toEqual(expected.map((text) => `response_cache.subgraph.all.redis.urls: ${text}`));
  });

  // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference of the configuration
  test.each(['0.0.0.0:4001', '0.0.0.0:${env.ROUTER_PORT:-4001}'])(
    'gives the admin listener another port than that of the router, %s',
    async (address) => {
      write('router.yaml', `supergraph: { listen: '${address}' }`);
      expect(await run('init', '--apollo-router', 'router.yaml')).toMatchObject({ code: 0, stderr: '' });
      expect(parseYaml(read()).admin).toEqual({ host: '127.0.0.1', port: 4002 });
    },
  );

  test.each([
    [
      'supergraph',
      'certificate_chain: a.pem, certificate_authorities: ca.pem',
      'has `ca` without `cert`',
      {},
    ],
    ['supergraph', 'key: k.pem', 'has `key` without `cert`', {}],
    [
      'subgraph.all',
      'certificate_authorities: ca.pem, client_authentication: { certificate_chain: a.pem }',
      'key is missing, and `cert` is set',
      { ca: 'ca.pem' },
    ],
  ])('has a note for a certificate of %s of which a file is missing: {%s}', (name, files, reason, tls) => {
    const [target = '', subgraph] = name.split('.');
    const { options, notes } = translate(
      `tls: { ${target}: ${subgraph === undefined ? '' : '{ all: '}{ ${files} } ${subgraph === undefined ? '' : '}'} }`,
    );
    const { listen, subgraphs } = options as Record<string, { tls?: object; all?: { tls?: object } }>;
    expect({ ...listen?.tls, ...subgraphs?.all?.tls }).toEqual(tls);
    expect(notes).toContainEqual(expect.stringMatching(`tls[ .]${reason}`));
  });

  test('writes relative paths from the directory of the written file', async () => {
    mkdirSync(join(folder, 'out'));
    mkdirSync(join(folder, 'run'));
    write('run/level', 'loud');
    // biome-ignore-start lint/suspicious/noTemplateCurlyInString: references of the configuration
    write(
      'router.yaml',
      `supergraph: { query_planning: { cache: { in_memory: { limit: '\${file.run/level}' } } } }
tls: { supergraph: { certificate_chain: '\${file.certs/a.pem}', key: '\${file./k.pem}' } }
persisted_queries: { enabled: true, local_manifests: [a.json, 'lists/\${env.LIST}.json', '\${env.DIR}/a.json', /b.json] }
override_subgraph_url: { a: '\${file.run/a:-http://a.test/}' }`,
    );
    const { code, stdout } = await run('init', '--apollo-router', 'router.yaml', '--out', 'out/t.yaml');
    expect(code).toBe(0);
    // The file is found where it is.
    expect(stdout).toContain('limit: planning.cacheSize is invalid');
    expect(parseYaml(read('out/t.yaml'))).toMatchObject({
      listen: { tls: { cert: '../certs/a.pem', key: '/k.pem' } },
      security: {
        trustedDocuments: {
          manifest: ['../a.json', '../lists/${LIST}.json', '${DIR}/a.json', '/b.json'],
        },
      },
      subgraphs: { a: { url: '${file:../run/a:-http://a.test/}' } },
    });
    // biome-ignore-end lint/suspicious/noTemplateCurlyInString: references of the configuration
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

  test('translates references to environment variables and files, and writes no others', () => {
    const { options, notes } = translate(`
      headers: { all: { request: [insert: { name: x-a, value: '\${file./run/a}' }, insert: { name: x-b, value: '\${b.c}' }, insert: { name: x-c, value: '\${env.UNSET_C}' }] } }
      override_subgraph_url: { a: '\${file./run/a}', b: '\${env.UNSET_B}' }
      supergraph: { path: '\${env.UNSET_PATH:-/graphql}' }
    `);
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference of the configuration
    expect(options.listen).toMatchObject({ path: '${UNSET_PATH:-/graphql}' });
    expect(options.subgraphs).toEqual({
      // biome-ignore-start lint/suspicious/noTemplateCurlyInString: references of the configuration
      all: {
        headers: {
          forward: [],
          rules: [
            { set: 'x-a', value: '${file:/run/a}' },
            { set: 'x-c', value: '${UNSET_C}' },
          ],
        },
        timeouts: routerTimeouts,
      },
      a: { url: '${file:/run/a}' },
      b: { url: '${UNSET_B}' },
      // biome-ignore-end lint/suspicious/noTemplateCurlyInString: references of the configuration
    });
    expect(notes).toEqual(
      expect.arrayContaining([
        expect.stringContaining('headers.all: subgraphs.all.headers.rules[1].value has $ and braces'),
      ]),
    );
  });

  test.each([
    ['https://g.test:4000/callback', '', 'https://g.test:4000'],
    ['https://g.test/gateway/callback/', '', 'https://g.test/gateway'],
    ['https://g.test/gateway/events', ', path: /events', 'https://g.test/gateway'],
    ['https://g.test/other', '', 'https://g.test/other'],
    // biome-ignore-start lint/suspicious/noTemplateCurlyInString: references of the configuration
    ['${env.PUBLIC_URL}/callback', '', '${PUBLIC_URL}'],
    ['https://${env.PUBLIC_HOST}/callback', '', 'https://${PUBLIC_HOST}'],
    // biome-ignore-end lint/suspicious/noTemplateCurlyInString: references of the configuration
  ])('translates the address %s of callbacks%s', (url, path, publicUrl) => {
    const { options } = translate(
      `subscription: { mode: { callback: { public_url: '${url}', subgraphs: [a]${path} } } }`,
    );
    expect(options.listen).toMatchObject({ publicUrl });
  });

  test('reports the value of an address of callbacks that is invalid, not a missing one', async () => {
    write(
      'router.yaml',
      `supergraph: { listen: 0.0.0.0:4000 }
subscription: { mode: { callback: { public_url: 'ftp://g.test/callback', subgraphs: [a] } } }`,
    );
    const { code, stderr } = await run('init', '--apollo-router', 'router.yaml');
    expect(code).toBe(2);
    expect(stderr).toContain('listen.publicUrl is "ftp://g.test"; expected: an http:// or https:// address');
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

  test('translates the exporters of telemetry, and has a note for each option without a counterpart', () => {
    const { options, notes } = translate(`
      telemetry:
        exporters:
          logging:
            common: { service_name: shop }
            stdout: { enabled: true, format: { json: { display_filename: false } }, rate_limit: { enabled: true } }
          tracing:
            common: { service_name: shop, sampler: 0.01, parent_based_sampler: false, max_attributes_per_span: 64 }
            propagation: { trace_context: true, jaeger: true, zipkin: false, request: { header_name: x-request-id } }
            otlp: { enabled: true, protocol: http, endpoint: 'http://otel:4318/v1/traces', http: { headers: { x-key: '\${env.KEY}' } }, batch_processor: { max_export_timeout: 5s } }
            zipkin: { enabled: true }
            datadog: { enabled: false }
          metrics:
            common: { buckets: [0.1] }
            prometheus: { enabled: true, listen: 127.0.0.1:9090 }
            otlp: { enabled: true, protocol: http, endpoint: 'http://other:4318/v1/metrics' }
    `);
    expect(options.telemetry).toEqual({
      logFormat: 'json',
      otlp: {
        endpoint: 'http://otel:4318',
        // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference of the configuration
        headers: { 'x-key': '${KEY}' },
        sampleRatio: 0.01,
      },
      metrics: { otlp: true },
    });
    const prefix = 'telemetry.exporters.';
    const subjects = notes
      .filter((text) => text.startsWith(prefix))
      .map((text) => text.slice(prefix.length).split(':')[0]);
    expect(subjects.sort()).toEqual([
      'logging.common.service_name',
      'logging.stdout.format.json',
      'logging.stdout.rate_limit',
      'metrics.common.buckets',
      'metrics.otlp',
      'metrics.prometheus',
      'tracing.common.max_attributes_per_span',
      'tracing.common.parent_based_sampler',
      'tracing.common.service_name',
      'tracing.otlp.batch_processor',
      'tracing.propagation.jaeger',
      'tracing.propagation.request',
      'tracing.zipkin',
    ]);
    expect(notes).toContain('telemetry.exporters.tracing.common.service_name: set OTEL_SERVICE_NAME');
  });

  test.each([
    ['always_on', 1],
    ['always_off', 0],
    ['0.5', 0.5],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: references of the configuration
    ['${env.RATIO}', '${RATIO}'],
    ['sometimes', undefined],
  ])('translates the sampler %s of traces', (sampler, sampleRatio) => {
    const { options, notes } = translate(
      `telemetry: { exporters: { tracing: { common: { sampler: ${sampler.startsWith('$') ? `'${sampler}'` : sampler} }, otlp: { enabled: true, protocol: http } } } }`,
    );
    expect(options.telemetry).toEqual({
      otlp: { endpoint: 'http://localhost:4318', ...(sampleRatio === undefined ? {} : { sampleRatio }) },
    });
    expect(notes.some((text) => text.includes('sampler'))).toBe(sampleRatio === undefined);
  });

  test('exports metrics over OTLP without traces', () => {
    const { options, notes } = translate(`
      telemetry: { exporters: { logging: { stdout: { format: { text: {} } } }, metrics: { otlp: { enabled: true, endpoint: 'http://otel:4318' } } } }
    `);
    expect(options.telemetry).toEqual({
      logFormat: 'pretty',
      metrics: { otlp: true },
      otlp: { endpoint: 'http://otel:4318', sampleRatio: 0 },
    });
    expect(notes).toEqual(
      expect.arrayContaining([
        'telemetry.exporters.metrics.otlp.protocol: telemetry is sent over HTTP (port 4318), not gRPC',
        'telemetry.exporters.metrics.otlp: the collector also gets the spans of requests that come with a trace',
      ]),
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
    ['', '30s', '30s', undefined, []],
    ['all: { timeout: 10s }', '10s', '30s', undefined, []],
    ['router: { timeout: 1m }', '30s', '1m', undefined, []],
    ['router: { timeout: 20s }', '20s', '20s', undefined, []],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference of the configuration
    ["router: { timeout: '${env.DEADLINE}' }", '${DEADLINE}', '${DEADLINE}', undefined, []],
    ['all: { timeout: 1m }, router: { timeout: 20s }', '20s', '20s', undefined, ['all.timeout: 1m']],
    ['subgraphs: { a: { timeout: 1m } }', '30s', '30s', '30s', ['subgraphs.a.timeout: 1m']],
    ['subgraphs: { a: { timeout: 5s } }, all: { compression: gzip }', '30s', '30s', '5s', []],
  ])(
    'keeps the timeouts of Apollo Router with the traffic shaping {%s}',
    (yaml, attempt, deadline, ofA, limited) => {
      const { options, notes } = translate(`traffic_shaping: { ${yaml} }`);
      expect(options.subgraphs).toEqual({
        all: { timeouts: { attempt, deadline }, headers: { forward: [] } },
        ...(ofA === undefined ? {} : { a: { timeouts: { attempt: ofA } } }),
      });
      expect(notes.filter((text) => text.includes('timeout'))).toEqual(
        limited.map(
          (text) =>
            `traffic_shaping.${text} is longer than a request may take: ${deadline} (traffic_shaping.router.timeout)`,
        ),
      );
    },
  );

  test('has a note for every option that docs/migration/apollo-router.md says is not available', () => {
    const page = readFileSync(join(root, 'docs/migration/apollo-router.md'), 'utf8');
    const rows = Array.from(page.matchAll(/^\| (`[^|]*) \| not available/gm), ([, names = '']) => names);
    const options = rows
      .flatMap((names) => Array.from(names.matchAll(/`([a-z_.*]+)`/g), ([, name = '']) => name))
      .map((name) => name.replace('.*', '.any'));
    expect(options.length).toBeGreaterThan(30);
    const silent = options.filter((name) => {
      const [, section = '', key = ''] = /^([^.]*)\.?(.*)$/.exec(name) ?? [];
      const draft = new ConfigDraft();
      translateApolloRouter({ [section]: key === '' ? { any: 1 } : { [key]: { any: 1 } } }, draft);
      return !draft.notes.some(({ subject }) => subject.startsWith(name.replace('.any', '')));
    });
    expect(silent).toEqual([]);
  });

  test.each([
    ['10s', 10_000],
    ['1h 30m', 5_400_000],
    ['5minutes', 300_000],
    ['250ms', 250],
    ['soon', undefined],
    ['10', undefined],
  ])('reads the duration %s as %s ms', (text, expected) => {
    expect(routerDurationMs(text)).toBe(expected);
  });

  test('reads no address of a Unix socket or without a port', () => {
    expect([routerAddress('/tmp/router.sock'), routerAddress('localhost')]).toEqual([undefined, undefined]);
  });
});
