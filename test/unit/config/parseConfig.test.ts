import { describe, expect, test } from '@jest/globals';
import { findConfigProblems, parseConfig } from '../../../gateway/config/parseConfig.ts';
import type { GatewayOptions } from '../../../gateway/config/schema.ts';

const supergraph = { file: 'supergraph.graphql' };

describe('a configuration', () => {
  test('requires only a supergraph', () => {
    const config = parseConfig({ supergraph });
    expect(config.listen).toEqual({
      host: '127.0.0.1',
      port: 4000,
      path: '/graphql',
      publicUrl: '',
      trustedProxies: [],
      tls: { cert: '', key: '', ca: '' },
      compression: { enabled: true, minSize: 1024, subscriptions: false, crossOrigin: false },
      timeouts: { headers: 60_000, request: 300_000, keepAlive: 75_000 },
      shutdownDelay: 2_000,
      drainTimeout: 30_000,
    });
    expect(config.admin).toEqual({ host: '127.0.0.1', port: 4001 });
    expect(config.supergraph).toEqual({ file: 'supergraph.graphql', watch: true });
    expect(config.subgraphs).toEqual({
      all: {
        retry: {
          enabled: true,
          attempts: 2,
          minDelay: 50,
          maxDelay: 1_000,
          budgetRatio: 0.2,
          on: ['connection', 429, 502, 503, 504],
        },
        breaker: {
          enabled: true,
          failureRatio: 0.5,
          minCalls: 20,
          window: 10_000,
          openFor: 5_000,
          scope: 'subgraph',
        },
        hedge: { enabled: false, after: 'p95', budgetRatio: 0.05 },
        timeouts: { attempt: 5_000, deadline: 15_000 },
        headers: { forward: ['authorization', 'accept-language'], rules: [], respond: [] },
        tls: { ca: '', cert: '', key: '' },
        signing: { enabled: true, header: 'x-tributary-signature' },
        connections: 64,
        maxConnectionAge: 300_000,
        concurrency: { adaptive: true, queue: 1_000 },
        maxResponseSize: 64 * 1024 ** 2,
        http2: 'auto',
        subscription: { protocol: 'auto', path: '', connectionParams: [] },
      },
    });
    expect(config.limits).toEqual({
      bodySize: 1024 ** 2,
      tokens: 10_000,
      depth: 100,
      literalDepth: 16,
      aliases: 200,
      rootFields: 50,
      directives: 100,
      deferredFragments: 50,
      recursiveSelections: 10_000,
      expandedSize: 2 * 1024 ** 2,
      fieldComparisons: 200_000,
      variableValues: 50_000,
      responseSize: 128 * 1024 ** 2,
      batchedOperations: 0,
      webSockets: 20_000,
      webSocketsPerClient: 10_000,
      operationsPerSocket: 100,
      cost: { max: 0, listSize: 10 },
      rate: { cost: 0, window: 60_000, key: 'identity' },
      eventStreams: 20_000,
      eventStreamsPerClient: 4_000,
    });
    expect(config.security).toEqual({
      introspection: false,
      graphiql: false,
      graphiqlTabs: [],
      csrf: true,
      checkHost: false,
      authorization: { onDenied: 'filter' },
      connectionParams: ['authorization', 'accept-language'],
      cors: { origins: [], credentials: false, allowHeaders: [], exposeHeaders: [], maxAge: 86_400_000 },
      trustedDocuments: { mode: 'off', manifest: [] },
      suggestions: false,
      exposeSubgraphErrors: false,
      exposeSubgraphs: false,
    });
    expect(config.workers).toBe(1);
  });

  test('reports an invalid option once, and no conflict of its default', () => {
    const timeouts = { attempt: '1x', deadline: '2s' };
    expect(findConfigProblems({ supergraph, subgraphs: { all: { timeouts } } })).toEqual([
      {
        path: 'subgraphs.all.timeouts.attempt',
        message: 'is "1x"',
        expected: 'a duration such as 250ms, 2s, 5m or 1h, at least 1ms and at most 596h',
      },
    ]);
  });

  test('accepts durations and sizes as text with a unit and as numbers', () => {
    const options: GatewayOptions = {
      supergraph,
      listen: { drainTimeout: '1m' },
      subgraphs: { all: { timeouts: { attempt: 1_200 }, maxResponseSize: '16MB' } },
      limits: { bodySize: 2_048 },
    };
    const config = parseConfig(options);
    expect(config.listen.drainTimeout).toBe(60_000);
    expect(config.subgraphs.all.timeouts).toEqual({ attempt: 1_200, deadline: 15_000 });
    expect(config.subgraphs.all.maxResponseSize).toBe(16 * 1024 ** 2);
    expect(config.limits.bodySize).toBe(2_048);
  });

  test('accepts numbers and flags as text, because environment variables are text', () => {
    const config = parseConfig({
      supergraph: { file: 'a', watch: 'false' },
      listen: { port: '0' },
      security: { csrf: 'false', graphiql: 'true' },
      workers: '4',
    });
    expect(config.supergraph).toEqual({ file: 'a', watch: false });
    expect(config.listen.port).toBe(0);
    expect(config.security).toMatchObject({ csrf: false, graphiql: true });
    expect(config.workers).toBe(4);
  });

  test('accepts durations and sizes without a unit as text, too', () => {
    const config = parseConfig({
      supergraph,
      subgraphs: { all: { timeouts: { attempt: '5000' }, hedge: { after: '50' } } },
      limits: { bodySize: '2000000' },
      contracts: { driftInterval: '0' },
    });
    expect(config.subgraphs.all).toMatchObject({ timeouts: { attempt: 5_000 }, hedge: { after: 50 } });
    expect(config.limits.bodySize).toBe(2_000_000);
    expect(config.contracts.driftInterval).toBe(0);
    // Rules about several options read it as well.
    expect(
      findConfigProblems({ supergraph, subgraphs: { all: { timeouts: { attempt: '20000' } } } }),
    ).toEqual([expect.objectContaining({ message: 'conflicts: attempt is 20s, deadline is 15s' })]);
  });

  test('refuses durations that are longer than a timer can be', () => {
    const options = { supergraph, http: { persistedQueries: { ttl: '30d' } } };
    expect(findConfigProblems(options)).toEqual([
      {
        path: 'http.persistedQueries.ttl',
        message: 'is "30d"',
        expected: 'a duration such as 250ms, 2s, 5m or 1h, at least 1s and at most 596h',
      },
    ]);
    expect(findConfigProblems({ supergraph, subgraphs: { all: { hedge: { after: '30d' } } } })).toHaveLength(
      1,
    );
  });

  test('accepts a percentage or a boolean for an override label', () => {
    const labels = { a: 12.5, b: '0.25', c: true, d: 'false' } as const;
    expect(parseConfig({ supergraph, override: { labels } }).override).toEqual({
      labels: { a: 12.5, b: 0.25, c: 100, d: 0 },
    });
  });

  test('names the line of a GraphiQL tab that is not an operation', () => {
    const graphiqlTabs = ['{ a }', '{\n  a(\n}', 'type A { a: Int }', ' '];
    expect(findConfigProblems({ supergraph, security: { graphiqlTabs } })).toEqual([
      {
        path: 'security.graphiqlTabs[1]',
        message: 'is not valid GraphQL in line 3, column 1: Syntax Error: Expected Name, found "}".',
        expected: 'the text of one or several GraphQL operations',
      },
      {
        path: 'security.graphiqlTabs[2]',
        message: 'has definitions of a schema',
        expected: 'the text of one or several GraphQL operations',
      },
      {
        path: 'security.graphiqlTabs[3]',
        message: 'is " "',
        expected: 'the text of one or several GraphQL operations',
      },
    ]);
  });

  test('accepts origins as browsers send them', () => {
    const origins = [
      'https://shop.example',
      'http://localhost:4200',
      'https://*.shop.example:8443',
      'http://*.localhost:*',
      'http://[::1]:*',
      '*',
    ];
    expect(parseConfig({ supergraph, security: { cors: { origins } } }).security.cors.origins).toEqual(
      origins,
    );
  });

  test('accepts every header name in CORS, in lower case', () => {
    const cors = { allowHeaders: ['Content-Type', 'X-Tenant'], exposeHeaders: ['ETag'] };
    expect(parseConfig({ supergraph, security: { cors } }).security.cors).toMatchObject({
      allowHeaders: ['content-type', 'x-tenant'],
      exposeHeaders: ['etag'],
    });
  });

  test('can be parsed again without a change', () => {
    const config = parseConfig({
      supergraph: { subgraphs: [{ name: 'reviews', url: 'http://reviews/graphql' }] },
      subgraphs: { reviews: { timeouts: { attempt: '1s' }, headers: { forward: ['X-Tenant'] } } },
      workers: 'auto',
    });
    expect(parseConfig(config)).toEqual(config);
    expect(config.subgraphs.reviews?.headers?.forward).toEqual(['x-tenant']);
  });

  test('is deeply frozen', () => {
    const config = parseConfig({ supergraph });
    const { all } = config.subgraphs;
    const parts = [config, config.listen, config.subgraphs, all, all.timeouts, all.headers.forward];
    expect(parts.map(Object.isFrozen)).toEqual(Array(parts.length).fill(true));
  });

  test('leaves the objects of the application as they are', () => {
    const entity = { __typename: 'Product', id: { of: ['{args.id}'] } };
    const manifest = ['a.json'];
    const config = parseConfig({
      supergraph,
      cache: { mutations: { 'Mutation.buy': { entities: [entity] } } },
      security: { trustedDocuments: { manifest } },
    });
    const options = [entity, entity.id, entity.id.of, manifest];
    expect(options.map(Object.isFrozen)).toEqual(options.map(() => false));
    expect(config.cache.mutations['Mutation.buy']?.entities).toEqual([entity]);
    expect(config.security.trustedDocuments.manifest).toEqual(manifest);
  });
});
