import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parse as parseYaml } from 'yaml';
import { ConfigDraft } from '../../../../gateway/cli/init/configDraft.ts';
import { translateApolloRouter } from '../../../../gateway/cli/init/fromApolloRouter.ts';
import { routerAddress, routerDurationMs } from '../../../../gateway/cli/init/routerValues.ts';

import { folder, read, routerTimeouts, run, translate, write } from './initFixture.ts';

const root = join(import.meta.dirname, '../../../..');

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
    expect([routerAddress('/tmp/router.sock'), routerAddress('localhost')]).toStrictEqual([
      undefined,
      undefined,
    ]);
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
});
