import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { InsightsData } from '../../gateway/insights/insightsData.ts';
import type { ProcessSummaryData } from '../../gateway/insights/processSummary.ts';
import { FakeTimers } from '../harness/fakeTimers.ts';
import { type InlineGateway, startInlineGateway } from '../harness/inlineGateway.ts';
import { postJson } from '../harness/postJson.ts';
import { startDedicatedRedis } from '../harness/redis.ts';
import { createTemporaryDirectory } from '../harness/suiteResources.ts';
import { waitForTurns } from '../harness/waitForTurns.ts';

/** How long the reviews take, in real time. */
const reviewsMs = 80;

let gateway: InlineGateway;
let timers: FakeTimers;

beforeAll(async () => {
  timers = new FakeTimers();
  gateway = await startInlineGateway({
    config: {
      security: { exposeSubgraphs: true, graphiql: true },
      limits: { batchedOperations: 2 },
    },
    dependencies: { timers, now: () => Date.UTC(2026, 0, 1) + timers.now() },
    transformSupergraph: (sdl) => sdl.replace(/(name: "stock", url: "[^"]+)"/, '$1?key=secret"'),
    subgraphs: [
      {
        name: 'products',
        sdl: 'type Query { product(id: ID): Product } type Product @key(fields: "id") { id: ID! name: String }',
        resolvers: { Query: { product: () => ({ id: 'p1', name: 'Pan' }) } },
      },
      {
        name: 'reviews',
        sdl: 'type Product @key(fields: "id") { id: ID! reviews: Int }',
        resolvers: { Product: { reviews: () => sleep(reviewsMs, 3) } },
      },
      {
        name: 'stock',
        sdl: 'type Product @key(fields: "id") { id: ID! stock: Int }',
        resolvers: { Product: { stock: () => 7 } },
      },
    ],
  });
});

afterAll(() => gateway.close());

async function readData(query = ''): Promise<InsightsData> {
  const response = await fetch(`${gateway.adminUrl}/insights/data${query}`);
  return (await response.json()) as InsightsData;
}

const page = (id: string): string => `query Page { product(id: "${id}") { name reviews stock } }`;

interface Reported {
  readonly extensions?: {
    readonly tributary?: {
      readonly criticalPath?: readonly { readonly ms: number }[];
      readonly explain?: unknown;
    };
  };
}

test('addresses of subgraphs are shown without the values of their queries', async () => {
  const { subgraphs } = await readData();
  expect(subgraphs.map(({ name, url }) => [name, new URL(String(url)).search])).toEqual([
    ['products', ''],
    ['reviews', ''],
    ['stock', '?key=***'],
  ]);
});

describe('the critical path', () => {
  test('is in the response, with the fetch that it waited for', async () => {
    const { body } = await gateway.execute(page('p1'));
    const ms = expect.any(Number);
    expect(body).toEqual({
      data: { product: { name: 'Pan', reviews: 3, stock: 7 } },
      extensions: {
        tributary: {
          cost: 1,
          actualCost: 1,
          criticalPath: [
            { subgraph: 'products', path: [], ms },
            { subgraph: 'reviews', path: ['product'], ms },
          ],
          timings: { planningMs: ms, budgetMs: 0, shapingMs: ms },
        },
      },
    });
    // Timers may be a millisecond early.
    expect((body as Reported).extensions?.tributary?.criticalPath?.[1]?.ms).toBeGreaterThan(reviewsMs - 2);
  });

  test('of a deferred payload is in that payload', async () => {
    await using deferred = await gateway.executeIncrementally(
      'query Deferred { product { name ... @defer { reviews } } }',
    );
    const ms = expect.any(Number);
    expect(await deferred.remaining()).toEqual([
      expect.objectContaining({
        extensions: {
          tributary: expect.objectContaining({ criticalPath: [{ subgraph: 'products', path: [], ms }] }),
        },
      }),
      {
        incremental: [{ path: ['product'], data: { reviews: 3 } }],
        extensions: {
          tributary: expect.objectContaining({
            criticalPath: [
              { subgraph: 'products', path: [], ms },
              { subgraph: 'reviews', path: ['product'], ms },
            ],
          }),
        },
        hasNext: false,
      },
    ]);
  });
});

describe('GET /insights/data', () => {
  test('has each operation without its values, what gated it, and what deferring a field would change', async () => {
    await gateway.execute(page('secret'));
    const data = await readData();
    expect(data.operationCount).toBe(2);
    expect(JSON.stringify(data)).not.toContain('secret');
    const operation = data.operations.find(({ name }) => name === 'Page');
    expect(operation).toMatchObject({
      kind: 'query',
      text: 'query Page {\n  product(id: "") {\n    name\n    reviews\n    stock\n  }\n}\n',
      count: 2,
      errors: 0,
      aborted: 0,
    });
    const plan = operation?.plans[0];
    expect(plan?.recorded).toBe(2);
    expect(plan?.fetches).toMatchObject([
      { subgraph: 'products', path: [], fields: ['product'], dependsOn: [], group: 0, criticalShare: 1 },
      { subgraph: 'stock', path: ['product'], fields: ['stock'], dependsOn: [0], criticalShare: 0 },
      { subgraph: 'reviews', path: ['product'], fields: ['reviews'], dependsOn: [0], criticalShare: 1 },
    ]);
    expect(plan?.payloads).toMatchObject([{ group: 0, criticalPath: [0, 2] }]);
    const deferred = plan?.whatIf.find(
      ({ kind, fields }) => kind === 'deferred' && fields[0] === 'product.reviews',
    );
    expect(deferred?.currentFirstPayloadMs).toBeGreaterThan(reviewsMs - 2);
    expect((deferred?.currentFirstPayloadMs ?? 0) - (deferred?.firstPayloadMs ?? 0)).toBeGreaterThan(
      reviewsMs / 4,
    );
  });

  test('has each subgraph with its calls, limits and breaker, and how long answers waited for it', async () => {
    const { subgraphs, workers, jobs, contracts, supergraph } = await readData();
    expect(
      subgraphs.map(({ name, breaker, failureShare, running }) => [name, breaker, failureShare, running]),
    ).toEqual([
      ['products', 'closed', 0, 0],
      ['reviews', 'closed', 0, 0],
      ['stock', 'closed', 0, 0],
    ]);
    const [, reviews, stock] = subgraphs;
    expect(reviews?.latency?.p50).toBeGreaterThan(reviewsMs * 0.9);
    expect(reviews?.gatedMs).toBeGreaterThan(reviewsMs - 2);
    expect(stock?.gatedShare).toBe(0);
    expect({ workers, jobs, contracts, supergraph }).toEqual({
      workers: null,
      jobs: [],
      contracts: { guard: 'off' },
      supergraph: { id: expect.any(String), refusal: null, sourceProblem: null },
    });
  });

  test('has a point for each ten seconds', async () => {
    expect((await readData()).series).toEqual([]);
    timers.fire(10_000);
    let data = await readData();
    for (; data.series.length === 0; data = await readData()) await waitForTurns();
    expect(data.series).toEqual([
      expect.objectContaining({
        at: '2026-01-01T00:00:00.000Z',
        answers: 3,
        errors: 0,
        cache: { hits: 0, stale: 0, misses: 0 },
        budgets: { inTime: 0, stale: 0, missed: 0 },
        queued: 0,
        openBreakers: 0,
        backlog: 0,
      }),
    ]);
    timers.fire(10_000);
    for (; data.series.length === 1; data = await readData()) await waitForTurns();
    expect(data.series[1]).toMatchObject({ at: '2026-01-01T00:00:10.000Z', answers: 0, firstPayload: null });
  });

  test('has as many operations as are requested', async () => {
    expect((await readData('?operations=1')).operations).toHaveLength(1);
    const others = Array.from({ length: 101 }, (_, n) => `query Other${n} { product { name } }`);
    await Promise.all(others.map((query) => gateway.execute(query)));
    let data = await readData();
    expect(data.operationCount + data.unrecordedRequests).toBe(103);
    // Only 100 new operations are recorded in a second: the next second takes the others.
    while (data.operationCount < 103) {
      await Promise.all(others.map((query) => gateway.execute(query)));
      data = await readData();
    }
    // Most of the costs of the page are those of the operations in its data: a bounded number, however many there are.
    expect([data.operations.length, data.operationCount]).toEqual([100, 103]);
    const found = await readData('?search=oTHER10');
    expect(found.operations.map(({ name }) => name).sort()).toEqual(['Other10', 'Other100']);
    expect(found.operationCount).toBe(2);
    const response = await fetch(`${gateway.adminUrl}/insights/data?operations=all`);
    expect([response.status, await response.json()]).toEqual([
      400,
      { error: 'operations is "all"; expected a number from 0 to 1000.' },
    ]);
  });
});

test('a call fails that has a GraphQL response with a status of 503', async () => {
  await using other = await startInlineGateway({
    config: { subgraphs: { all: { retry: { enabled: false } } } },
    subgraphs: [{ name: 'a', sdl: 'type Query { a: Int }', resolvers: { Query: { a: () => 1 } } }],
  });
  const body = { errors: [{ message: 'The database is not available.' }] };
  await other.execute('{ a }');
  other.subgraph('a').answerWith(() => ({ kind: 'json', status: 503, body }));
  await other.execute('{ a }');
  const { subgraphs } = (await (await fetch(`${other.adminUrl}/insights/data`)).json()) as InsightsData;
  expect(subgraphs).toMatchObject([{ name: 'a', failureShare: 0.5, errorShare: 0.5 }]);
});

test('a source that cannot be read is no refusal of a newer supergraph, in the insights and in GET /supergraph', async () => {
  await using other = await startInlineGateway({
    isWatching: true,
    subgraphs: [{ name: 'a', sdl: 'type Query { a: Int }', resolvers: { Query: { a: () => 1 } } }],
  });
  const read = async (path: string) => (await fetch(other.adminUrl + path)).json();
  type Described = { readonly supergraph: InsightsData['supergraph'] };
  await rm(other.supergraphFile);
  let { supergraph } = (await read('/insights/data')) as Described;
  while (!supergraph?.sourceProblem && !supergraph?.refusal)
    ({ supergraph } = (await read('/insights/data')) as Described);
  const sourceProblem = expect.stringContaining('supergraph.graphql');
  expect(supergraph).toEqual({ id: expect.any(String), refusal: null, sourceProblem });
  expect(await read('/supergraph')).toMatchObject({ lastRefusal: null, sourceProblem });
});

test('enrichment jobs that Redis does not give access to have the reason in the insights', async () => {
  await using redis = await startDedicatedRedis();
  await using other = await startInlineGateway({
    config: { redis: { url: redis.url } },
    subgraphs: [{ name: 'a', sdl: 'type Query { a: Int }' }],
  });
  const readJobs = async () =>
    ((await (await fetch(`${other.adminUrl}/insights/data`)).json()) as InsightsData).jobs;
  expect(await readJobs()).toEqual([]);
  await redis.kill();
  let jobs = await readJobs();
  // Until the first attempt to connect again has failed, there is another message without a reason.
  while (!JSON.stringify(jobs).includes('ECONNREFUSED')) jobs = await readJobs();
  const error = expect.stringMatching(/^Redis does not give access to enrichment jobs .* Cause: ./);
  expect(jobs).toEqual({ error });
});

describe('GET /insights/data of one of several workers', () => {
  test('calls a worker that did not answer no more, and has the data of the others', async () => {
    const summary: ProcessSummaryData = {
      startedAt: 0,
      totalsMs: [],
      unrecordedRequests: 0,
      calls: [],
      subgraphs: [],
      shares: { recorded: 0, bySubgraph: {} },
      series: [],
    };
    const directory = createTemporaryDirectory();
    const called: string[] = [];
    /** A worker that answers only these calls, by name. */
    const startWorker = async (name: string, answers: Readonly<Record<string, string>>) => {
      const server = createServer((request, response) => {
        const call = String(request.headers['x-tributary-worker-call']);
        called.push(`${name} ${call}`);
        const answer = answers[call];
        response.writeHead(answer === undefined ? 500 : 200).end(answer);
      });
      await once(server.listen(join(directory, name)), 'listening');
      return server;
    };
    await using _silent = await startWorker('2', {});
    await using _blocked = await startWorker('3', { insights: JSON.stringify(summary) });
    await using worker = await startInlineGateway({
      dependencies: { worker: { name: '1', directory: directory } },
      subgraphs: [{ name: 'a', sdl: 'type Query { a: Int }', resolvers: { Query: { a: () => 1 } } }],
    });
    for (let n = 0; n < 60; n++) await worker.execute(`query Operation${n} { a }`);
    const response = await fetch(`${worker.adminUrl}/insights/data`);
    const { workers, operations } = (await response.json()) as InsightsData;
    expect([workers, operations.length]).toEqual([{ answered: 2, running: 3 }, 60]);
    expect(called.filter((call) => call.includes('insights')).sort()).toEqual([
      '2 insights',
      '3 insights',
      '3 insights-operations',
    ]);
  });
});

describe('an explanation', () => {
  const headers = { 'tributary-explain': 'true' };
  const [startMs, endMs] = [expect.any(Number), expect.any(Number)];
  const sent = { startMs, endMs, outcome: 'sent' };

  test('is in the response to a request with tributary-explain, with the plan and all fetches', async () => {
    const { body } = await gateway.execute('query Explained { product(id: "p1") { name stock } }', {
      headers,
    });
    expect((body as Reported).extensions?.tributary?.explain).toEqual({
      plan: [
        'QueryPlan {',
        '  Sequence {',
        '    Fetch(service: "products") {',
        '      {',
        '        product(id: "p1") {',
        '          __typename',
        '          id',
        '          name',
        '        }',
        '      }',
        '    },',
        '    Flatten(path: "product") {',
        '      Fetch(service: "stock") {',
        '        {',
        '          ... on Product {',
        '            __typename',
        '            id',
        '          }',
        '        } =>',
        '        {',
        '          ... on Product {',
        '            stock',
        '          }',
        '        }',
        '      },',
        '    },',
        '  },',
        '}',
      ].join('\n'),
      fetches: [
        { subgraph: 'products', entities: 0, group: 0, ...sent },
        { subgraph: 'stock', entities: 1, group: 0, ...sent },
      ],
    });
  });

  test('of a deferred payload has the fetches so far, without the plan', async () => {
    await using deferred = await gateway.executeIncrementally(
      'query ExplainedDefer { product { name ... @defer { reviews } } }',
      { headers },
    );
    const payloads = (await deferred.remaining()) as readonly Reported[];
    const explanations = payloads.map(({ extensions }) => extensions?.tributary?.explain);
    const products = { subgraph: 'products', entities: 0, group: 0, ...sent };
    expect(explanations).toEqual([
      { plan: expect.stringContaining('Deferred(depends: [0], path: "product"'), fetches: [products] },
      { fetches: [products, { subgraph: 'reviews', entities: 1, group: 1, ...sent }] },
    ]);
  });

  test('is refused for another value of the header, also for each operation of a batch', async () => {
    const operation = { query: '{ product { name } }' };
    const send = async (body: unknown) => {
      const response = await postJson(gateway.url, body, {
        accept: 'application/json',
        'tributary-explain': 'yes',
      });
      return [response.status, await response.json()];
    };
    const message = 'The header "tributary-explain" has an invalid value. Expected true, or no such header.';
    const refused = { errors: [{ message, extensions: { code: 'BAD_REQUEST' } }] };
    expect(await send(operation)).toEqual([400, refused]);
    expect(await send([operation, operation])).toEqual([400, [refused, refused]]);
  });

  test('is not in the response to another request, nor of a gateway whose GraphiQL or subgraphs are hidden', async () => {
    const explanationOf = async ({ body }: { readonly body: unknown }) =>
      (body as Reported).extensions?.tributary?.explain;
    expect(await explanationOf(await gateway.execute(page('p1')))).toBeUndefined();
    for (const security of [{ exposeSubgraphs: true }, { graphiql: true }]) {
      await using other = await startInlineGateway({
        config: { security },
        subgraphs: [{ name: 'a', sdl: 'type Query { a: Int }', resolvers: { Query: { a: () => 1 } } }],
      });
      const answer = await other.execute('{ a }', { headers });
      expect([answer.body, await explanationOf(answer)]).toEqual([
        expect.objectContaining({ data: { a: 1 } }),
        undefined,
      ]);
    }
  });
});
