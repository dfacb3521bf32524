import { describe, expect, test } from '@jest/globals';
import { findConfigProblems } from '../../../gateway/config/parseConfig.ts';

const supergraph = { file: 'supergraph.graphql' };

describe('an invalid configuration', () => {
  test('is refused with every problem, its path and the expected value', () => {
    expect(
      findConfigProblems({
        supergraph: { subgraphs: [{ name: 'a' }, { name: 'b', url: 'ftp://b' }], pollInterval: '1ms' },
        listen: { port: 65_536, path: 'graphql', drainTimeout: '30 s', prot: 4000 },
        subgraphs: {
          all: { http2: 'on', connections: 0 },
          b: { timeouts: { attempt: '5 seconds' }, headers: { forward: ['host', 'x y', 7] } },
        },
        limits: { bodySize: '1 megabyte', depth: 1.5 },
        planning: { cacheSize: 5_000_000_000 },
        security: { csrf: 'no' },
        telemetry: { logLevel: 'verbose' },
        workers: 4000,
        grafana: {},
      }),
    ).toEqual([
      { path: 'listen.port', message: 'is 65536', expected: 'a whole number from 0 to 65535' },
      {
        path: 'listen.path',
        message: 'is "graphql"',
        expected: 'a path that begins with /, without ? and #, with special characters as %20',
      },
      {
        path: 'listen.drainTimeout',
        message: 'is "30 s"',
        expected: 'a duration such as 250ms, 2s, 5m or 1h, at most 596h',
      },
      { path: 'listen.prot', message: 'is not known; did you mean `port`?', expected: '' },
      {
        path: 'supergraph.subgraphs[0].url',
        message: 'is missing',
        expected: 'an http:// or https:// address',
      },
      {
        path: 'supergraph.subgraphs[1].url',
        message: 'is "ftp://b"',
        expected: 'an http:// or https:// address',
      },
      {
        path: 'supergraph.pollInterval',
        message: 'is "1ms"',
        expected: 'a duration such as 250ms, 2s, 5m or 1h, at least 100ms and at most 596h',
      },
      { path: 'subgraphs.all.connections', message: 'is 0', expected: 'a whole number of at least 1' },
      { path: 'subgraphs.all.http2', message: 'is "on"', expected: 'one of auto, off' },
      {
        path: 'subgraphs.b.timeouts.attempt',
        message: 'is "5 seconds"',
        expected: 'a duration such as 250ms, 2s, 5m or 1h, at least 1ms and at most 596h',
      },
      {
        path: 'subgraphs.b.headers.forward[0]',
        message: 'is "host", which describes a message that the gateway writes itself',
        expected: 'another header',
      },
      ...['is "x y"', 'is 7'].map((message, index) => ({
        path: `subgraphs.b.headers.forward[${index + 1}]`,
        message,
        expected: 'a header name',
      })),
      {
        path: 'limits.bodySize',
        message: 'is "1 megabyte"',
        expected: 'a size such as 64KB, 1MB or 2GB, at least 1B',
      },
      { path: 'limits.depth', message: 'is 1.5', expected: 'a whole number of at least 1' },
      {
        path: 'planning.cacheSize',
        message: 'is 5000000000',
        expected: 'a whole number from 1 to 1000000',
      },
      { path: 'security.csrf', message: 'is "no"', expected: 'true or false' },
      {
        path: 'telemetry.logLevel',
        message: 'is "verbose"',
        expected: 'one of fatal, error, warn, info, debug, trace, silent',
      },
      { path: 'workers', message: 'is 4000', expected: 'a whole number from 1 to 1024, or auto' },
      {
        path: 'grafana',
        message: 'is not known',
        expected:
          'one of listen, admin, supergraph, subgraphs, batching, cache, redis, enrichment, overload, limits, planning, override, http, delivery, subscriptions, security, telemetry, contracts, extensions, workers, workerTimeout',
      },
    ]);
  });

  test('names keys of what should be a section or a list of sections', () => {
    const options = {
      supergraph: { subgraphs: { a: 'http://a' } },
      cache: { rules: { Product: '5s' }, ignoreHeaders: 'x-a' },
    };
    expect(findConfigProblems(options).map(({ path, expected }) => [path, expected])).toEqual([
      ['supergraph.subgraphs', 'a list of sections with keys such as name, url, headers'],
      ['cache.rules.Product', 'a section with keys such as maxAge, staleWhileRevalidate, staleIfError'],
      ['cache.ignoreHeaders', 'a list'],
    ]);
  });

  test('names supergraph.subgraphs when `subgraphs` is a list', () => {
    expect(findConfigProblems({ supergraph, subgraphs: [{ name: 'a', url: 'http://a' }] })).toEqual([
      {
        path: 'subgraphs',
        message: 'is a list',
        expected:
          'a section with `all` or names of subgraphs as keys. Subgraphs to compose are listed in supergraph.subgraphs',
      },
    ]);
  });

  test('lists the keys of a section at the first one that is not known only', () => {
    expect(findConfigProblems({ supergraph, admin: { pory: 1, rhai: {}, cors: {} } })).toEqual([
      { path: 'admin.pory', message: 'is not known; did you mean `port`?', expected: '' },
      { path: 'admin.rhai', message: 'is not known', expected: expect.stringMatching(/^one of host, port/) },
      { path: 'admin.cors', message: 'is not known', expected: '' },
    ]);
  });

  test.each([
    [null, 'is empty'],
    [[], 'is a list'],
    ['supergraph.graphql', 'is a single value'],
  ])('that is not a mapping is reported: %p', (options, message) => {
    expect(findConfigProblems(options)).toEqual([
      { path: '', message, expected: 'a section with keys such as listen, admin, supergraph' },
    ]);
  });

  test.each([
    'https://shop.example/',
    'https://Shop.example',
    'https://shop.example:443',
    'shop.example',
    'null',
    'https://*',
    'https://*shop.example',
    'https://shop.*',
    'https://*.*.example',
    'https://shop.*.example',
    'http://localhost:80*',
    'http://localhost:5173:*',
    'http://localhost:*/',
  ])('is reported for the invalid origin %s', (origin) => {
    expect(findConfigProblems({ supergraph, security: { cors: { origins: [origin] } } })).toEqual([
      {
        path: 'security.cors.origins[0]',
        message: `is "${origin}"`,
        expected:
          'an origin such as https://shop.example, without a path; https://*.shop.example for its subdomains; http://localhost:* for all ports; or *',
      },
    ]);
  });

  test.each([
    ['origins', 'the origins by name, such as https://shop.example or https://*.shop.example'],
    ['allowHeaders', 'the headers by name, such as x-api-key'],
    ['exposeHeaders', 'the headers by name, such as x-api-key'],
  ])('is reported for credentials with * in cors.%s, which browsers take for a name', (key, expected) => {
    const cors = { origins: ['https://shop.example'], [key]: ['*'] };
    expect(findConfigProblems({ supergraph, security: { cors } })).toEqual([]);
    expect(findConfigProblems({ supergraph, security: { cors: { ...cors, credentials: true } } })).toEqual([
      { path: 'security.cors.credentials', message: `is true, but security.cors.${key} has *`, expected },
    ]);
  });

  test.each(['/ü', '/{shop}', '/a b', '/a/../b', '//graphql', '//'])(
    'is reported for a path that no client sends: %s',
    (path) => {
      expect(findConfigProblems({ supergraph, listen: { path } })).toEqual([
        expect.objectContaining({ path: 'listen.path', message: `is ${JSON.stringify(path)}` }),
      ]);
    },
  );

  test.each(['//ws', '/\\\\ws', 'ws'])(
    'is reported for a path of subscriptions that is no path of the host of the subgraph: %s',
    (path) => {
      const subgraphs = { all: { subscription: { path } }, a: { subscription: { path: '/ws?a//b' } } };
      expect(findConfigProblems({ supergraph, subgraphs })).toEqual([
        expect.objectContaining({ path: 'subgraphs.all.subscription.path' }),
      ]);
    },
  );

  test.each(['/', '/graphql/', '/a%20b', '/%C3%BC', '/a.b/~c', '/:c', '/*'])(
    'is not reported for the path %s',
    (path) => {
      expect(findConfigProblems({ supergraph, listen: { path } })).toEqual([]);
    },
  );

  test('is reported for metrics that no collector would get', () => {
    expect(findConfigProblems({ supergraph, telemetry: { metrics: { otlp: true } } })).toEqual([
      {
        path: 'telemetry.metrics.otlp',
        message: 'is true, but telemetry.otlp.endpoint is empty',
        expected:
          'the address of a collector as well (telemetry.otlp.endpoint), such as http://localhost:4318',
      },
    ]);
  });

  test('is reported for invalid percentages of override labels', () => {
    const override = { labels: { beta: 101, gamma: '5 %', delta: -1 } };
    expect(findConfigProblems({ supergraph, override })).toEqual([
      {
        path: 'override.labels.beta',
        message: 'is 101',
        expected: 'a percentage from 0 to 100, true or false',
      },
      {
        path: 'override.labels.gamma',
        message: 'is "5 %"',
        expected: 'a percentage from 0 to 100, true or false',
      },
      {
        path: 'override.labels.delta',
        message: 'is -1',
        expected: 'a percentage from 0 to 100, true or false',
      },
    ]);
  });

  test('is reported for an empty section', () => {
    expect(findConfigProblems({ supergraph, batching: null })).toEqual([
      {
        path: 'batching',
        message: 'is empty',
        expected: 'a section with keys such as acrossRequests, maxBatchSize, maxWait',
      },
    ]);
  });

  test('is reported without quoting an address, which may contain a password', () => {
    expect(findConfigProblems({ supergraph, subgraphs: { a: { url: 'redis://user:secret@host' } } })).toEqual(
      [{ path: 'subgraphs.a.url', message: 'is invalid', expected: 'an http:// or https:// address' }],
    );
  });

  test('is reported for policies of subgraphs that make no sense', () => {
    const problems = findConfigProblems({
      supergraph,
      subgraphs: {
        all: {
          retry: { attempts: 0, minDelay: '2s', budgetRatio: 2, on: [500] },
          breaker: { failureRatio: 0, minCalls: 0, openFor: '0s', scope: 'field' },
          hedge: { after: 'p30' },
        },
        a: { retry: { maxDelay: '1s' } },
        b: { url: 'http://b/graphql', urls: ['http://b2/graphql'] },
      },
      overload: { queueTime: '0s' },
    });
    expect(problems.map(({ path }) => path)).toEqual([
      'subgraphs.all.retry.attempts',
      'subgraphs.all.retry.budgetRatio',
      'subgraphs.all.retry.on[0]',
      'subgraphs.all.breaker.failureRatio',
      'subgraphs.all.breaker.minCalls',
      'subgraphs.all.breaker.openFor',
      'subgraphs.all.breaker.scope',
      'subgraphs.all.hedge.after',
      'overload.queueTime',
      'subgraphs.all.retry.minDelay',
      'subgraphs.a.retry.maxDelay',
      'subgraphs.b',
    ]);
    expect(problems.every(({ expected }) => expected !== '')).toBe(true);
  });

  test('is reported for a user name or a password in the address of a subgraph', () => {
    const problems = findConfigProblems({
      supergraph: {
        subgraphs: [
          { name: 'a', url: 'http://user:secret@a/graphql' },
          { name: 'b', url: 'http://b/graphql' },
        ],
      },
      subgraphs: {
        a: { urls: ['http://a/graphql', 'http://user:secret@a2/graphql'] },
        b: { url: 'https://:secret@b/graphql' },
      },
    });
    expect(problems.map(({ path, message }) => `${path} ${message}`)).toEqual([
      'supergraph.subgraphs[0].url has a user name or a password',
      'subgraphs.a.urls[1] has a user name or a password',
      'subgraphs.b.url has a user name or a password',
    ]);
    expect(problems[0]?.expected).toMatch(/use headers instead/);
    expect(JSON.stringify(problems)).not.toContain('secret');
  });

  test('is reported for headers of a supergraph without their values', () => {
    const headers = { host: 'secret', 'a b': 'secret', authorization: 'secret\n', key: 5 };
    const problems = findConfigProblems({ supergraph: { url: 'htps://a/?key=secret', headers } });
    const name =
      'the name of a header, except headers of the connection and the body such as host and content-type';
    const value = 'a header value: text without line breaks';
    expect(problems).toEqual([
      { path: 'supergraph.url', message: 'is invalid', expected: 'an http:// or https:// address' },
      { path: 'supergraph.headers.host', message: 'is not a valid key', expected: name },
      { path: 'supergraph.headers["a b"]', message: 'is not a valid key', expected: name },
      { path: 'supergraph.headers.authorization', message: 'is invalid', expected: value },
      { path: 'supergraph.headers.key', message: 'is a number instead of a text', expected: value },
    ]);
  });

  test('is reported for an invalid combination of supergraph sources', () => {
    const either = 'a section with `file`, `url`, `subgraphs` or, in createGateway, `load`';
    const subgraphs = [{ name: 'a', url: 'http://a' }];
    expect(findConfigProblems({})).toEqual([{ path: 'supergraph', message: 'is missing', expected: either }]);
    expect(findConfigProblems({ supergraph: {} })).toEqual([
      {
        path: 'supergraph',
        message: 'has no source',
        expected: '`file`, `url`, `subgraphs` or, in createGateway, `load`',
      },
    ]);
    expect(findConfigProblems({ supergraph: { file: 'a', subgraphs, wacth: true } })).toEqual([
      { path: 'supergraph.wacth', message: 'is not known; did you mean `watch`?', expected: '' },
      {
        path: 'supergraph',
        message: 'has `file` and `subgraphs`',
        expected: 'only one of them; remove the others',
      },
    ]);
    expect(findConfigProblems({ supergraph: { file: 'a', pollInterval: '10s' } })).toEqual([
      { path: 'supergraph.pollInterval', message: 'cannot be combined with `file`', expected: '`watch`' },
    ]);
    expect(findConfigProblems({ supergraph: { subgraphs, watch: true } })).toEqual([
      {
        path: 'supergraph.watch',
        message: 'cannot be combined with `subgraphs`',
        expected: '`pollInterval`',
      },
    ]);
    expect(findConfigProblems({ supergraph: { subgraphs, headers: { a: 'b' } } })).toEqual([
      {
        path: 'supergraph.headers',
        message: 'cannot be combined with `subgraphs`',
        expected: '`headers` of an entry of `subgraphs`',
      },
    ]);
    expect(findConfigProblems({ supergraph: { load: 'sdl.js' } })).toEqual([
      {
        path: 'supergraph.load',
        message: 'is "sdl.js"',
        expected: 'a function that returns the supergraph SDL (only in createGateway)',
      },
    ]);
    expect(findConfigProblems({ supergraph: { subgraphs: [] } })).toEqual([
      {
        path: 'supergraph.subgraphs',
        message: 'is empty',
        expected: 'at least one subgraph with `name` and `url`',
      },
    ]);
  });

  test('is reported for duplicate and unknown subgraph names', () => {
    const subgraphs = ['reviews', 'products', 'reviews'].map((name) => ({ name, url: `http://${name}` }));
    expect(
      findConfigProblems({ supergraph: { subgraphs }, subgraphs: { rewiews: {}, al: {}, elsewhere: {} } }),
    ).toEqual([
      {
        path: 'supergraph.subgraphs[2].name',
        message: 'is "reviews", which is already used',
        expected: 'unique names',
      },
      {
        path: 'subgraphs.rewiews',
        message: 'is not one of supergraph.subgraphs; did you mean `reviews`?',
        expected: '',
      },
      {
        path: 'subgraphs.al',
        message: 'is not one of supergraph.subgraphs',
        expected: 'all, reviews, products',
      },
      {
        path: 'subgraphs.elsewhere',
        message: 'is not one of supergraph.subgraphs',
        expected: 'all, reviews, products',
      },
    ]);
  });

  test('is reported when both listeners have the same address', () => {
    const problem = {
      path: 'admin.port',
      message: 'is 8080, the same as listen.port',
      expected: 'another port: the admin routes are never on the public listener',
    };
    expect(findConfigProblems({ supergraph, listen: { port: 8080 }, admin: { port: '8080' } })).toEqual([
      problem,
    ]);
    expect(
      findConfigProblems({ supergraph, listen: { host: '0.0.0.0', port: 8080 }, admin: { port: 8080 } }),
    ).toEqual([problem]);
    expect(
      findConfigProblems({ supergraph, listen: { host: '10.0.0.1', port: 80 }, admin: { port: 80 } }),
    ).toEqual([]);
    expect(findConfigProblems({ supergraph, listen: { port: 0 }, admin: { port: 0 } })).toEqual([]);
  });

  test('is reported when a port equals the default port of the other listener', () => {
    expect(findConfigProblems({ supergraph, listen: { port: 4001 } })).toEqual([
      {
        path: 'admin.port',
        message: 'is 4001, the same as listen.port',
        expected: 'another port: the admin routes are never on the public listener',
      },
    ]);
  });

  test('is reported when the first delay between reconnections of subscriptions exceeds the maximum', () => {
    const problemsOf = (reconnect: object) =>
      findConfigProblems({ supergraph, subscriptions: { reconnect } });
    const expected = 'a value of minDelay that is no larger than maxDelay';
    expect(problemsOf({ minDelay: '30s' })).toEqual([
      {
        path: 'subscriptions.reconnect.minDelay',
        message: 'conflicts: minDelay is 30s, maxDelay is 10s',
        expected,
      },
    ]);
    expect(problemsOf({ minDelay: '30s', maxDelay: '20s' })).toEqual([
      {
        path: 'subscriptions.reconnect.maxDelay',
        message: 'conflicts: minDelay is 30s, maxDelay is 20s',
        expected,
      },
    ]);
    expect(problemsOf({ minDelay: '30s', maxDelay: '30s' })).toEqual([]);
  });

  test('is reported when an attempt exceeds its deadline, or a subgraph deadline exceeds that of the request', () => {
    const room = 'a value of attempt that is no larger than deadline';
    expect(
      findConfigProblems({
        supergraph,
        subgraphs: {
          all: { timeouts: { deadline: '4s' } },
          slow: { timeouts: { attempt: '6s' } },
          late: { timeouts: { deadline: '5s' } },
          fine: { timeouts: { attempt: '1s', deadline: '2s' } },
        },
      }),
    ).toEqual([
      {
        path: 'subgraphs.all.timeouts.deadline',
        message: 'conflicts: attempt is 5s, deadline is 4s',
        expected: room,
      },
      {
        path: 'subgraphs.slow.timeouts.attempt',
        message: 'conflicts: attempt is 6s, deadline is 4s',
        expected: room,
      },
      {
        path: 'subgraphs.late.timeouts.deadline',
        message: 'is 5s, longer than the deadline of the whole request',
        expected: 'at most subgraphs.all.timeouts.deadline, 4s',
      },
    ]);
  });
});

test('timeouts of connections have to be positive, and the headers of a request take no longer than the request', () => {
  const problemsOf = (timeouts: object) => findConfigProblems({ supergraph, listen: { timeouts } });
  const duration = 'a duration such as 250ms, 2s, 5m or 1h, at least 1ms and at most 596h';
  expect(problemsOf({ headers: '0s', request: '-1s', keepAlive: 'never' })).toEqual([
    { path: 'listen.timeouts.headers', message: 'is "0s"', expected: duration },
    { path: 'listen.timeouts.request', message: 'is "-1s"', expected: duration },
    { path: 'listen.timeouts.keepAlive', message: 'is "never"', expected: duration },
  ]);
  const expected = 'a value of headers that is no larger than request';
  expect(problemsOf({ headers: '6m' })).toEqual([
    { path: 'listen.timeouts.headers', message: 'conflicts: headers is 6m, request is 5m', expected },
  ]);
  expect(problemsOf({ request: '30s' })).toEqual([
    { path: 'listen.timeouts.request', message: 'conflicts: headers is 1m, request is 30s', expected },
  ]);
  expect(problemsOf({ headers: '10s', request: '10s' })).toEqual([]);
});
