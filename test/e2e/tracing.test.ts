import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { trace } from '@opentelemetry/api';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { createLogger } from '../../gateway/telemetry/logger.ts';
import type { EnrichedBody } from '../harness/enrichedShop.ts';
import { type InlineGateway, type InlineSubgraph, startInlineGateway } from '../harness/inlineGateway.ts';
import { planInProcess } from '../harness/inProcessPlanner.ts';
import { startOtlpCollector } from '../harness/otlpCollector.ts';
import { postJson } from '../harness/postJson.ts';
import { RawConnection } from '../harness/rawHttp.ts';
import { RecordedSpans } from '../harness/recordedSpans.ts';
import { printTraces } from '../harness/traceTrees.ts';
import { waitForTurns } from '../harness/waitForTurns.ts';

const subgraphs: readonly InlineSubgraph[] = [
  {
    name: 'catalog',
    sdl: `
      type Query { top: Product, products: [Product!]! }
      type Subscription { changed: Product }
      type Product @key(fields: "id") { id: ID! name(suffix: String): String! }`,
    resolvers: {
      Query: { top: () => ({ id: '1', name: 'Pan' }), products: () => [{ id: '1' }, { id: '2' }] },
    },
  },
  {
    name: 'reviews',
    sdl: 'type Product @key(fields: "id") { id: ID! reviews: [Review!]! } type Review { body: String! }',
    resolvers: { Product: { reviews: () => [{ body: 'Good.' }] } },
  },
  {
    name: 'stock',
    sdl: 'type Product @key(fields: "id") { id: ID! stock: Int! }',
    resolvers: { Product: { stock: () => 3 } },
  },
  {
    name: 'advice',
    sdl: 'type Product @key(fields: "id") { id: ID! advice: String }',
    resolvers: { Product: { advice: () => 'Use it.' } },
  },
];

const enrichment = {
  mode: 'always',
  budget: '0ms',
  fields: { 'Product.advice': {} },
  jobs: { backoff: { base: '1ms', max: '1ms' } },
} as const;

function tokenOf(body: unknown): string {
  return (body as EnrichedBody).extensions?.tributary?.enrichment?.token ?? 'no token';
}

function pickUp(gateway: InlineGateway, token: string, headers: Readonly<Record<string, string>> = {}) {
  const url = new URL(`/enrichments/${token}`, gateway.url);
  return fetch(url, { headers: { accept: 'text/event-stream', ...headers } });
}

test('A product page with a deferred part, a missed budget and a pick-up is exported as linked traces, and counted in the exported metrics', async () => {
  await using collector = await startOtlpCollector();
  await using gateway = await startInlineGateway({
    subgraphs,
    config: {
      enrichment,
      telemetry: {
        logLevel: 'silent',
        otlp: { endpoint: collector.endpoint, headers: { 'x-key': 'secret' } },
        metrics: { otlp: true, operationNames: 'all' },
      },
    },
  });
  const reviews = gateway.subgraph('reviews').hold('Product.reviews');
  const advice = gateway.subgraph('advice').hold('Product.advice');
  await using page = await gateway.executeIncrementally(
    'query Page { top { id name advice ... @defer(label: "reviews") { reviews { body } } } }',
  );
  const [first] = await page.next();
  reviews.open();
  await page.remaining();
  const updates = await pickUp(gateway, tokenOf(first), { 'x-request-id': 'later' });
  advice.open();
  expect(await updates.text()).toContain('Use it.');
  const scraped = await (await fetch(new URL('/metrics', gateway.adminUrl))).text();
  await gateway.close();

  const spans = [...collector.spans].sort((a, b) => Number(a.start - b.start));
  const fetchOf = (subgraph: string, group: number, representations: number) =>
    `    subgraph.fetch client http.response.status_code=200 server.address=127.0.0.1 server.port=* tributary.group=${group} tributary.outcome=sent tributary.representations=${representations} tributary.subgraph=${subgraph}`;
  expect(printTraces(spans)).toEqual([
    'graphql.operation server graphql.operation.name=Page graphql.operation.type=query tributary.request_id=* tributary.transport=http',
    '  graphql.parse',
    '  graphql.validate',
    '  graphql.plan',
    '  graphql.execute',
    fetchOf('catalog', 0, 0),
    fetchOf('reviews', 1, 1),
    fetchOf('advice', 2, 1),
    '  tributary.payload tributary.group=1 tributary.label=reviews tributary.path=top',
    'tributary.enrichment tributary.enrichment.fields=Product.advice tributary.enrichment.job=* tributary.enrichment.kind=job tributary.enrichment.resumed=false -> graphql.operation',
    'tributary.enrichment server tributary.enrichment.kind=pick-up tributary.request_id=* -> graphql.operation',
  ]);

  // Only the fetch that the job continues outlives its parent. It ends within the job.
  const byId = new Map(spans.map((span) => [span.spanId, span]));
  const outlasting = spans.filter(({ start, end, parentSpanId }) => {
    const parent = byId.get(parentSpanId);
    expect(end).toBeGreaterThanOrEqual(start);
    expect(start).toBeGreaterThanOrEqual(parent?.start ?? 0n);
    return parent !== undefined && end > parent.end;
  });
  expect(outlasting.map(({ attributes }) => attributes['tributary.subgraph'])).toEqual(['advice']);
  const job = spans.find(({ attributes }) => attributes['tributary.enrichment.kind'] === 'job');
  expect(outlasting[0]?.end).toBeLessThanOrEqual(job?.end ?? 0n);
  const [operation] = spans;
  expect(job?.end).toBeGreaterThan(operation?.end as bigint);

  // Each subgraph got the span of its fetch.
  const sent = subgraphs.flatMap(({ name }) =>
    gateway.subgraph(name).calls.map(({ headers }) => [name, headers.traceparent]),
  );
  expect(sent).toEqual(
    ['catalog', 'reviews', 'advice'].map((name) => {
      const span = spans.find(({ attributes }) => attributes['tributary.subgraph'] === name);
      return [name, `00-${operation?.traceId}-${span?.spanId}-01`];
    }),
  );
  expect(new Set(spans.map(({ resource }) => resource['service.instance.id'])).size).toBe(1);
  expect(operation?.resource).toMatchObject({ 'service.name': 'tributary' });
  expect(new Set(collector.requests.map((headers) => headers['x-key']))).toEqual(new Set(['secret']));

  // Each metric of the scrape is exported, under the name that Prometheus translates back.
  const { points } = collector;
  const suffixes: Record<string, string> = {
    sum: '_total',
    'sum (s)': '_seconds_total',
    'gauge (s)': '_seconds',
    'gauge (By)': '_bytes',
    'histogram (s)': '_seconds',
    'histogram (By)': '_bytes',
  };
  const names = new Set(points.map(({ name, kind }) => name.replace('.', '_') + (suffixes[kind] ?? '')));
  const families = Array.from(scraped.matchAll(/^# TYPE (\S+) [\s\S]*?(?=^# HELP|$(?![\s\S]))/gm));
  expect(names.difference(new Set(families.map(([, name]) => name)))).toEqual(new Set());
  // A family without samples has no points.
  const sampled = families.filter(([family]) => /^[^#\n]/m.test(family)).map(([, name]) => name as string);
  expect(sampled.length).toBeGreaterThan(20);
  expect(new Set(sampled).difference(names)).toEqual(new Set());
  const pointsOf = (name: string) =>
    points
      .filter((point) => point.name === name)
      .map(({ kind, attributes, value }) => ({ kind, value, ...attributes }));
  const labels = { 'graphql.operation.name': 'Page', 'graphql.operation.type': 'query' };
  expect(pointsOf('tributary.requests').filter(({ value }) => value !== 0)).toEqual([
    { kind: 'sum', ...labels, 'tributary.outcome': 'ok', value: 1 },
  ]);
  expect(pointsOf('tributary.request')).toEqual([{ kind: 'histogram (s)', ...labels, value: 1 }]);
  expect(pointsOf('tributary.subgraph_calls')).toEqual(
    ['catalog', 'reviews', 'advice'].map((subgraph) => ({
      kind: 'sum',
      'tributary.subgraph': subgraph,
      'tributary.outcome': 'ok',
      value: 1,
    })),
  );
  const [request] = points.filter(({ name }) => name === 'tributary.request');
  expect(request?.resource).toEqual(operation?.resource);
  expect(Number((request?.end ?? 0n) - (request?.start ?? 0n)) / 1e9).toBeGreaterThanOrEqual(
    request?.sum as number,
  );
  // Nothing is registered for the process.
  expect(trace.getTracer('application').startSpan('of the application').isRecording()).toBe(false);
});

test('Requests do not notice a collector that refuses spans and metrics; one warning each and a metric say so', async () => {
  await using collector = await startOtlpCollector();
  collector.handleWith((response) => response.writeHead(401).end('x-key: secret is wrong'));
  const lines: string[] = [];
  const logger = createLogger('info', { write: (line: string) => void lines.push(line) } as never);
  await using gateway = await startInlineGateway({
    subgraphs,
    config: {
      telemetry: {
        otlp: { endpoint: collector.endpoint, headers: { 'x-key': 'secret' } },
        metrics: { otlp: true },
      },
    },
    dependencies: { logger },
  });
  // More spans than a batch: it is exported at once, and the rest a second later.
  const operations = Array.from({ length: 800 }, () => gateway.execute('{ top { id } }'));
  for (const { body } of await Promise.all(operations)) expect(body).toEqual({ data: { top: { id: '1' } } });
  await collector.waitForRequests(2);
  const metrics = await (await fetch(new URL('/metrics', gateway.adminUrl))).text();
  expect(metrics).toContain('tributary_spans_exported_total 0\n');
  expect(metrics).toMatch(/tributary_spans_dropped_total\{reason="export_failed"\} [1-9]/);
  await gateway.close();
  const warnings = lines.filter((line) => line.includes('Spans are'));
  expect(warnings).toEqual([expect.stringContaining('Spans are dropped: the collector does not take them')]);
  expect(JSON.parse(String(warnings))).toMatchObject({ level: 40, endpoint: `${collector.endpoint}` });
  expect(lines.filter((line) => line.includes('Metrics are'))).toEqual([
    expect.stringContaining('Metrics are not exported: the collector does not take them'),
  ]);
  expect(lines.join()).not.toContain('secret');
});

test('Spans and data points that a collector rejects of what it takes are reported, and the spans counted as dropped', async () => {
  await using collector = await startOtlpCollector();
  const message = Buffer.from('quota of secret-key');
  const partialSuccess = Buffer.from([8, 3, 18, message.length, ...message]);
  collector.handleWith((response) =>
    response
      .writeHead(200, { 'content-type': 'application/x-protobuf' })
      .end(Buffer.from([10, partialSuccess.length, ...partialSuccess])),
  );
  const lines: string[] = [];
  const logger = createLogger('info', { write: (line: string) => void lines.push(line) } as never);
  await using gateway = await startInlineGateway({
    subgraphs,
    config: {
      telemetry: {
        otlp: { endpoint: collector.endpoint, headers: { authorization: 'Key secret-key' } },
        metrics: { otlp: true },
      },
    },
    dependencies: { logger },
  });
  await gateway.execute('{ top { id } }');
  while (!lines.some((line) => line.includes('Spans are'))) await waitForTurns(1);
  const metrics = await (await fetch(new URL('/metrics', gateway.adminUrl))).text();
  expect(metrics).toContain('tributary_spans_dropped_total{reason="rejected"} 3\n');
  const exported = Number(/tributary_spans_exported_total (\d+)/.exec(metrics)?.[1]);
  const warning = JSON.parse(lines.find((line) => line.includes('Spans are')) ?? '');
  expect(warning).toMatchObject({
    level: 40,
    msg: 'Spans are dropped: the collector does not take them',
    reason: `The collector has rejected 3 of ${exported + 3} spans. Its message: quota of ***`,
  });
  // Exports the final counts.
  await gateway.close();
  expect(JSON.parse(lines.find((line) => line.includes('Metrics are')) ?? '')).toMatchObject({
    level: 40,
    msg: 'Metrics are not exported: the collector does not take them',
    reason: 'The collector has rejected 3 data points. Its message: quota of ***',
  });
});

describe('With a tracer provider of the application, the gateway', () => {
  const recorded = new RecordedSpans();
  let gateway: InlineGateway;
  beforeAll(async () => {
    gateway = await startInlineGateway({
      subgraphs,
      config: {
        enrichment,
        limits: { batchedOperations: 10, cost: { max: 100 } },
        cache: { rules: { 'Product.stock': { maxAge: '1h' } } },
        subgraphs: { all: { retry: { minDelay: '1ms', maxDelay: '1ms', budgetRatio: 1 } } },
        subscriptions: { topics: { 'Subscription.changed': { topic: 'changes' } } },
        telemetry: { logLevel: 'silent', otlp: { documents: true } },
      },
      dependencies: { tracerProvider: recorded.tracerProvider },
    });
  });
  afterAll(() => gateway?.close());

  /** The fetches among the trees, and what they link to. */
  const fetches = () =>
    recorded
      .take()
      .filter((line) => line.includes('subgraph.fetch'))
      .map((line) => {
        const value = (name: string) => new RegExp(`${name}=(\\S+)`).exec(line)?.[1] ?? '-';
        const link = / -> (\S+)/.exec(line)?.[1];
        return `${value('subgraph')} ${value('outcome')}${link === undefined ? '' : ` -> ${link}`}`;
      });

  test('continues the trace of the client and adds operations without their literals', async () => {
    const { body } = await gateway.execute('query Secret { top { name(suffix: "p4ssword") } }', {
      headers: {
        traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
        tracestate: 'rojo=1',
      },
    });
    expect(body).toEqual({ data: { top: { name: 'Pan' } } });
    const [root] = recorded.take();
    expect(root).toBe(
      'b7ad6b7169203331: graphql.operation server graphql.document=query Secret {\n  top {\n    name(suffix: "")\n  }\n} graphql.operation.name=Secret graphql.operation.type=query http.response.status_code=200 tributary.request_id=* tributary.transport=http',
    );
    const { headers } = gateway.subgraph('catalog').calls.at(-1) ?? {};
    expect(headers?.traceparent).toMatch(/^00-0af7651916cd43dd8448eb211c80319c-(?!b7ad)[0-9a-f]{16}-01$/);
    expect(headers?.tracestate).toBe('rojo=1');
  });

  test('records nothing of a trace that its client does not record, and says so to subgraphs', async () => {
    await gateway.execute('{ top { id advice } }', {
      headers: { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00' },
    });
    expect(recorded.take()).toEqual([]);
    expect(gateway.subgraph('catalog').calls.at(-1)?.headers.traceparent).toMatch(
      /^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-00$/,
    );
  });

  test('links a fetch that joins the call or the batch of another request', async () => {
    const reviews = gateway.subgraph('reviews').hold('Product.reviews');
    const operations = Array.from({ length: 3 }, () => gateway.execute('{ top { reviews { body } } }'));
    await recorded.waitFor('subgraph.fetch', 3);
    await reviews.waitForArrivals();
    // All have fetched the product. The second fetches start within a few turns.
    await waitForTurns(20);
    reviews.open();
    await Promise.all(operations);
    const outcomes = fetches().filter((line) => line.startsWith('reviews'));
    expect(outcomes.sort()).toEqual([
      'reviews joined -> subgraph.fetch',
      'reviews joined -> subgraph.fetch',
      'reviews sent',
    ]);
    gateway.subgraph('reviews').reset();
  });

  test('says which fetches the cache has answered', async () => {
    await gateway.execute('{ top { stock } }');
    await gateway.execute('{ top { stock } }');
    await gateway.execute('{ products { stock } }');
    const lines = recorded.take().filter((line) => line.includes('subgraph=stock'));
    expect(
      lines.map((line) => line.match(/tributary.(cache|outcome|representations)\S+/g)?.join(' ')),
    ).toEqual([
      'tributary.cache.hits=0 tributary.cache.misses=1 tributary.cache.stale=0 tributary.outcome=sent tributary.representations=1',
      'tributary.cache.hits=1 tributary.cache.misses=0 tributary.cache.stale=0 tributary.outcome=cached tributary.representations=1',
      'tributary.cache.hits=1 tributary.cache.misses=1 tributary.cache.stale=0 tributary.outcome=sent tributary.representations=2',
    ]);
  });

  test('counts the attempts of a fetch that is sent again, and names what a fetch failed with', async () => {
    const catalog = gateway.subgraph('catalog');
    let failures = 1;
    catalog.answerWith(() => (failures-- > 0 ? { kind: 'json', body: {}, status: 503 } : undefined));
    await gateway.execute('{ top { id } }');
    catalog.answerWith(() => ({ kind: 'json', body: 'no', status: 500 }));
    await gateway.execute('{ top { id } }');
    catalog.answerWith(() => ({ kind: 'json', body: { errors: [{ message: 'no' }] }, status: 500 }));
    await gateway.execute('{ top { id } }');
    catalog.reset();
    const lines = recorded.take().filter((line) => line.includes('subgraph.fetch'));
    expect(lines).toEqual([
      '    subgraph.fetch client http.request.resend_count=1 http.response.status_code=200 server.address=127.0.0.1 server.port=* tributary.group=0 tributary.outcome=retried tributary.representations=0 tributary.subgraph=catalog',
      '    subgraph.fetch client error.type=SUBGRAPH_UNREACHABLE http.response.status_code=500 server.address=127.0.0.1 server.port=* tributary.group=0 tributary.outcome=sent tributary.representations=0 tributary.subgraph=catalog ERROR',
      '    subgraph.fetch client error.type=500 http.response.status_code=500 server.address=127.0.0.1 server.port=* tributary.group=0 tributary.outcome=sent tributary.representations=0 tributary.subgraph=catalog ERROR',
    ]);
  });

  test('records refused operations without calling them a failure of the gateway', async () => {
    await gateway.execute('{ nope }');
    expect(recorded.take()).toEqual([
      'graphql.operation server error.type=GRAPHQL_VALIDATION_FAILED http.response.status_code=400 tributary.request_id=* tributary.transport=http',
      '  graphql.parse',
      '  graphql.validate error.type=GRAPHQL_VALIDATION_FAILED ERROR',
    ]);
  });

  test('records each operation of a batch, with the error and the status that it would have alone', async () => {
    const queries = [
      'query Served { top { id } }',
      'query Variables($suffix: String!) { top { name(suffix: $suffix) } }',
      'query Complex { products { reviews { body } } }',
      'query Invalid { nope }',
      '{',
    ];
    const response = await postJson(
      gateway.url,
      queries.map((query) => ({ query })),
    );
    expect(await response.json()).toHaveLength(5);
    const roots = recorded.take().map((line) => line.replace(/ graphql.document=.*\} graphql/s, ' graphql'));
    const operation = 'graphql.operation server';
    const client = 'tributary.request_id=* tributary.transport=http';
    const kind = 'graphql.operation.type=query';
    expect(roots.filter((line) => line.startsWith(operation)).sort()).toEqual([
      `${operation} error.type=BAD_USER_INPUT graphql.operation.name=Variables ${kind} http.response.status_code=400 ${client}`,
      `${operation} error.type=GRAPHQL_PARSE_FAILED http.response.status_code=400 ${client}`,
      `${operation} error.type=GRAPHQL_VALIDATION_FAILED http.response.status_code=400 ${client}`,
      `${operation} error.type=OPERATION_TOO_COMPLEX graphql.operation.name=Complex ${kind} http.response.status_code=400 ${client}`,
      `${operation} graphql.operation.name=Served ${kind} http.response.status_code=200 ${client}`,
    ]);
    expect(roots.filter((line) => line.startsWith('  graphql.validate'))).toHaveLength(4);
  });

  test('records a later attempt at a job, and a pick-up by subscription', async () => {
    const advice = gateway.subgraph('advice');
    advice.answerWith(() => ({ kind: 'json', body: {}, status: 503 }));
    const { body } = await gateway.execute('query Page { products { advice } }');
    await recorded.waitFor('tributary.enrichment');
    advice.reset();
    const client = createClient({ url: gateway.url.replace('http', 'ws'), webSocketImpl: WebSocket });
    const updates = client.iterate({
      query: `subscription Later { enrichment(token: "${tokenOf(body)}") { data } }`,
    });
    for await (const update of updates) expect(update.data).toEqual({ enrichment: { data: 'Use it.' } });
    await client.dispose();
    await recorded.waitFor('graphql.operation', 2);
    const job =
      'tributary.enrichment.fields=Product.advice tributary.enrichment.job=* tributary.enrichment.kind=job';
    const lines = recorded.take().filter((line) => line.includes('tributary.enrichment'));
    // How many later attempts fail depends on the machine.
    const expected = lines.filter((line) => !(line.includes('resumed=true') && line.includes(' ERROR ')));
    expect([...new Set(expected)]).toEqual([
      `tributary.enrichment error.type=SUBGRAPH_UNREACHABLE ${job} tributary.enrichment.resumed=false ERROR -> graphql.operation`,
      `tributary.enrichment ${job} tributary.enrichment.resumed=true -> graphql.operation`,
      '  tributary.enrichment tributary.enrichment.kind=pick-up -> graphql.operation',
    ]);
  });

  test('records each event of a subscription as a trace that links to the operation', async () => {
    const client = createClient({ url: gateway.url.replace('http', 'ws'), webSocketImpl: WebSocket });
    const events = client.iterate({ query: 'subscription Watch { changed { id reviews { body } } }' });
    const next = events.next();
    await recorded.waitFor('graphql.operation');
    gateway.publish('changes', { __typename: 'Product', id: '1' });
    expect((await next).value).toEqual({ data: { changed: { id: '1', reviews: [{ body: 'Good.' }] } } });
    await client.dispose();
    expect(
      recorded.take().map((line) => line.replace(/ graphql.document=.*\} graphql/s, ' graphql')),
    ).toEqual([
      'graphql.operation server graphql.operation.name=Watch graphql.operation.type=subscription tributary.request_id=* tributary.transport=websocket',
      '  graphql.parse',
      '  graphql.validate',
      '  graphql.plan',
      'tributary.event tributary.subgraph=catalog -> graphql.operation',
      '  graphql.execute',
      '    subgraph.fetch client http.response.status_code=200 server.address=127.0.0.1 server.port=* tributary.group=0 tributary.outcome=sent tributary.representations=1 tributary.subgraph=reviews',
    ]);
  });
});

test('An event of a subscription that ends meanwhile is recorded as cancelled', async () => {
  const recorded = new RecordedSpans();
  await using gateway = await startInlineGateway({
    subgraphs,
    config: { subscriptions: { topics: { 'Subscription.changed': { topic: 'changes' } } } },
    dependencies: { tracerProvider: recorded.tracerProvider },
  });
  const reviews = gateway.subgraph('reviews').hold('Product.reviews');
  const client = createClient({ url: gateway.url.replace('http', 'ws'), webSocketImpl: WebSocket });
  const unsubscribe = client.subscribe(
    { query: 'subscription { changed { reviews { body } } }' },
    { next: () => {}, error: () => {}, complete: () => {} },
  );
  await recorded.waitFor('graphql.operation');
  gateway.publish('changes', { __typename: 'Product', id: '1' });
  await reviews.waitForArrivals();
  unsubscribe();
  await recorded.waitFor('tributary.event');
  const events = recorded.take().filter((line) => line.startsWith('tributary.event'));
  expect(events).toEqual([
    'tributary.event error.type=cancelled tributary.subgraph=catalog -> graphql.operation',
  ]);
  await client.dispose();
});

test('An operation whose client leaves during planning is recorded as cancelled, not as failed', async () => {
  const recorded = new RecordedSpans();
  const planning = Promise.withResolvers<void>();
  const opened = Promise.withResolvers<void>();
  await using gateway = await startInlineGateway({
    subgraphs,
    dependencies: {
      tracerProvider: recorded.tracerProvider,
      startPlannerThread: async (options, signal) => {
        const thread = await planInProcess(options, signal);
        return {
          ...thread,
          plan: async (request, timeoutMs) => {
            planning.resolve();
            await opened.promise;
            return thread.plan(request, timeoutMs);
          },
        };
      },
    },
  });
  {
    await using connection = await RawConnection.open(gateway.url);
    connection.send({
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: '{"query":"{ top { id } }"}',
    });
    await planning.promise;
  }
  await recorded.waitFor('graphql.operation');
  opened.resolve();
  expect(recorded.take()).toEqual([
    'graphql.operation server error.type=cancelled graphql.operation.type=query http.response.status_code=499 tributary.request_id=* tributary.transport=http',
    '  graphql.parse',
    '  graphql.validate',
    '  graphql.plan error.type=cancelled',
  ]);
});

test('Without an SDK behind its tracer provider, the gateway passes on the trace of the client, and starts none', async () => {
  const lines: { readonly msg: string; readonly traceId?: string }[] = [];
  await using gateway = await startInlineGateway({
    subgraphs,
    config: { telemetry: { accessLog: true } },
    dependencies: {
      tracerProvider: trace.getTracerProvider(),
      logger: createLogger('info', { write: (line: string) => void lines.push(JSON.parse(line)) } as never),
    },
  });
  const traceId = '0af7651916cd43dd8448eb211c80319c';
  const sent = { traceparent: `00-${traceId}-b7ad6b7169203331-01`, tracestate: 'rojo=1' };
  for (const headers of [{}, sent]) {
    const { body } = await gateway.execute('{ top { id } }', { headers });
    expect(body).toEqual({ data: { top: { id: '1' } } });
  }
  // The gateway sends checks of its own, too.
  const calls = gateway.subgraph('catalog').calls.filter(({ query }) => query.includes('top'));
  expect(calls.map(({ headers: { traceparent, tracestate } }) => ({ traceparent, tracestate }))).toEqual([
    { traceparent: undefined, tracestate: undefined },
    sent,
  ]);
  const logged = lines.filter(({ msg }) => msg === 'request');
  expect(logged.map((line) => line.traceId)).toStrictEqual([undefined, traceId]);
});

test('The access log of an operation that is refused, and of each operation of a batch, has the trace that the gateway records of it', async () => {
  await using collector = await startOtlpCollector();
  const lines: { readonly msg: string; readonly traceId?: string }[] = [];
  {
    await using gateway = await startInlineGateway({
      subgraphs,
      config: {
        limits: { batchedOperations: 2 },
        telemetry: { accessLog: true, otlp: { endpoint: collector.endpoint } },
      },
      dependencies: {
        logger: createLogger('info', { write: (line: string) => void lines.push(JSON.parse(line)) } as never),
      },
    });
    for (const query of ['{ top {', '{ unknown }']) await gateway.execute(query);
    await postJson(gateway.url, [{ query: '{ top { id } }' }, { query: '{ unknown }' }]);
  }
  const recorded = collector.spans.filter(({ name }) => name === 'graphql.operation');
  const logged = lines.filter(({ msg }) => msg === 'request');
  expect(logged).toHaveLength(4);
  expect(new Set(logged.map((line) => line.traceId))).toEqual(new Set(recorded.map((span) => span.traceId)));
});
