import { describe, expect, test } from '@jest/globals';
import type { GraphQLSchema } from 'graphql';
import type { CachedContribution } from '../../../gateway/execution/cachingContribution.ts';
import type { FetchCall, Staleness } from '../../../gateway/execution/fetchCall.ts';
import type { IncrementalFormat } from '../../../gateway/operation/operationRequest.ts';
import type { PlanNode } from '../../../gateway/planning/queryPlan.ts';
import { contentToText } from '../../../gateway/response/executionOutcome.ts';
import { annotateFetches, type CacheAnnotations } from '../../harness/annotateFetches.ts';
import { createEnrichedPipeline } from '../../harness/enrichedPipeline.ts';
import { entityFetch, rootFetch } from '../../harness/fetchNodes.ts';
import { createLocalPipeline, type LocalPipeline } from '../../harness/localPipeline.ts';
import { schemaOf } from '../../harness/normalize.ts';
import { createPlannerDouble, createSingleSubgraphPlanner } from '../../harness/plannerDouble.ts';

const sdl = `
  type Query { product: Product products: [Product!] broken: Int! fail: Int }
  type Mutation { product: Product }
  type Product { id: ID! name: String stock: Int price: Int! }
`;
const apiSchema = schemaOf(sdl);
const product = { __typename: 'Product', id: '1', name: 'n', stock: 3, price: 2 };
const products = Array.from({ length: 20_000 }, () => product);

function subgraph(text: string): GraphQLSchema {
  const schema = schemaOf(text);
  const values: Record<string, unknown> = { product, products, _entities: [product] };
  for (const type of [schema.getQueryType(), schema.getMutationType()]) {
    for (const [name, field] of Object.entries(type?.getFields() ?? {})) {
      field.resolve = () => {
        if (name === 'fail') throw new Error('no');
        return values[name];
      };
    }
  }
  const union = schema.getType('_Entity');
  if (union !== undefined && 'resolveType' in union) union.resolveType = () => 'Product';
  return schema;
}

/** One subgraph that answers what it is asked, under notes. */
function pipelineWith(annotationsOf: (call: FetchCall) => CacheAnnotations): LocalPipeline {
  return createLocalPipeline({
    planner: createSingleSubgraphPlanner('only'),
    sdl,
    apiSchema,
    subgraphs: new Map([['only', subgraph(sdl)]]),
    wrapFetches: (sender) => annotateFetches(sender, annotationsOf),
  });
}

const part: CachedContribution = {
  kind: 'cached',
  scope: 'PUBLIC',
  ageMs: 5_000,
  freshForMs: 10_000,
  headers: [],
};
const kept = { cacheControl: 'public, max-age=15', age: '5', vary: undefined };
const stale = (name: string | number, ageMs = 20): ReadonlyMap<string | number, Staleness> =>
  new Map([[name, { ageMs, reason: 'revalidating' as const }]]);

async function single(pipeline: LocalPipeline, query: string, format?: IncrementalFormat) {
  const outcome = await pipeline.respond(query, {}, format);
  if (outcome.kind !== 'single') throw new Error('The answer is in several pieces.');
  return outcome;
}

describe('a single response', () => {
  test('from fresh values has their remaining lifetime, and is written as bytes', async () => {
    const { data, errors, extensions, caching } = await single(
      pipelineWith(() => ({ caching: part })),
      '{ product { name } }',
    );
    expect({ errors, extensions, caching }).toEqual({
      errors: undefined,
      extensions: undefined,
      caching: kept,
    });
    expect(data?.take()).toEqual(Buffer.from('{"data":{"product":{"name":"n"}}}'));
  });

  test('with a stale value lists it, and has max-age=0', async () => {
    const { data, errors, extensions, caching } = await single(
      pipelineWith(() => ({ caching: { ...part, freshForMs: -10 }, stale: stale('p') })),
      '{ p: product { name } }',
    );
    expect({ errors, extensions, caching }).toEqual({
      errors: undefined,
      extensions: { tributary: { stale: [{ path: ['p'], ageMs: 20, reason: 'revalidating' }] } },
      caching: { ...kept, cacheControl: 'public, max-age=0' },
    });
    expect(contentToText(data?.takeWrapped('', '') ?? '')).toBe('{"p":{"name":"n"}}');
  });

  test('that is written in chunks has the same headers', async () => {
    const { data, extensions, caching } = await single(
      pipelineWith(() => ({ caching: part, stale: stale('products') })),
      '{ products { a: name b: name c: name d: name e: name f: name g: name h: name i: name j: name k: name l: name m: name n: name o: name p: name } }',
    );
    expect(Array.isArray(data?.take())).toBe(true);
    expect({ extensions, caching }).toEqual({
      extensions: { tributary: { stale: [{ path: ['products'], ageMs: 20, reason: 'revalidating' }] } },
      // The age grows while a busy machine makes the response, and max-age does not.
      caching: { ...kept, age: expect.stringMatching(/^\d+$/) },
    });
  });

  test.each([
    ['nothing is known', '{ product { name } }', {}],
    ['there is an error', '{ fail product { name } }', { caching: part }],
    ['a null stands where none may', '{ broken }', { caching: part }],
    ['it is a mutation', 'mutation { product { name } }', { caching: part }],
    ['it tells of the schema', '{ product { name } __schema { queryType { name } } }', { caching: part }],
    ['nothing was fetched', '{ __typename }', { caching: part }],
  ])('has no lifetime when %s', async (_, query, notes) => {
    expect(
      (
        await single(
          pipelineWith(() => notes),
          query,
        )
      ).caching,
    ).toBeUndefined();
  });

  test('reports both stale values and an error', async () => {
    const answer = await pipelineWith(() => ({ caching: part, stale: stale('product') })).execute(
      '{ fail product { name } }',
    );
    expect(answer).toMatchObject({
      data: { fail: null, product: { name: 'n' } },
      errors: [{ path: ['fail'] }],
      extensions: { tributary: { stale: [{ path: ['product'] }] } },
    });
  });

  test('to invalid variables has no lifetime', async () => {
    const outcome = await single(
      pipelineWith(() => ({ caching: part })),
      'query ($yes: Boolean!) { product { name @include(if: $yes) } }',
    );
    expect([outcome.data, outcome.caching]).toStrictEqual([undefined, undefined]);
  });
});

/** `stock` is of another subgraph than the rest. */
function twoSubgraphs(annotationsOf: (call: FetchCall) => CacheAnnotations): LocalPipeline {
  const rest = rootFetch('product{__typename id name}', { serviceName: 'rest', id: '0' });
  const flat: PlanNode = { kind: 'Flatten', path: ['product'], node: entityFetch('stock') };
  const planner = createPlannerDouble(({ shouldSplitDefer }) => ({
    kind: 'QueryPlan',
    node: shouldSplitDefer
      ? {
          kind: 'Defer',
          primary: { node: rest },
          deferred: [{ depends: [{ id: '0' }], label: '1', queryPath: ['product'], node: flat }],
        }
      : { kind: 'Sequence', nodes: [rest, flat] },
  }));
  const entities = `
    scalar _Any
    union _Entity = Product
    type Query { _entities(representations: [_Any!]!): [_Entity]! }
    type Product { id: ID! stock: Int }
  `;
  return createLocalPipeline({
    planner,
    sdl,
    apiSchema,
    subgraphs: new Map([
      ['rest', subgraph(sdl)],
      ['stock', subgraph(entities)],
    ]),
    wrapFetches: (sender) => annotateFetches(sender, annotationsOf),
  });
}

test('a response that pending fields are missing from has no lifetime', async () => {
  const { pipeline, holdFetches } = createEnrichedPipeline({ annotationsOf: () => ({ caching: part }) });
  const gate = holdFetches();
  const pending = await single(pipeline, '{ products { id advice { text } } }');
  expect(pending.extensions).toMatchObject({ tributary: { enrichment: { token: 'token 1' } } });
  expect(pending.caching).toBeUndefined();
  gate.open();
  expect(await single(pipeline, '{ products { id } }')).toMatchObject({ caching: kept });
});

describe('a response from several fetches', () => {
  const notes = (call: FetchCall): CacheAnnotations =>
    call.shape.isEntityFetch
      ? { caching: { ...part, scope: 'PRIVATE', headers: ['x-user'] }, stale: stale(0, 40) }
      : { caching: part, stale: stale('product', 30) };
  const ofProduct = { path: ['product'], ageMs: 30, reason: 'revalidating' };
  const ofStock = { path: ['product', 'stock'], ageMs: 40, reason: 'revalidating' };

  test('has the shortest lifetime of all fetches', async () => {
    const { extensions, caching } = await single(twoSubgraphs(notes), '{ product { name stock } }');
    expect({ extensions, caching }).toEqual({
      extensions: { tributary: { stale: [ofProduct, ofStock] } },
      caching: { ...kept, cacheControl: 'private, max-age=15', vary: 'x-user' },
    });
  });

  test('has no lifetime when one fetch may not be cached', async () => {
    const pipeline = twoSubgraphs((call) => (call.shape.isEntityFetch ? {} : { caching: part }));
    expect((await single(pipeline, '{ product { name stock } }')).caching).toBeUndefined();
  });

  const deferring = '{ product { name ... @defer { stock } } }';

  test.each(['deferSpec=20220824', 'incrementalSpec=v0.2'] as const)(
    'each payload with stale values repeats those of earlier payloads, which clients replace: %s',
    async (format) => {
      const { payloads, merged } = await twoSubgraphs(notes).executeIncrementally(deferring, {}, format);
      expect(merged).toMatchObject({ data: { product: { name: 'n', stock: 3 } } });
      expect(payloads).toHaveLength(2);
      expect(payloads).toMatchObject([
        { extensions: { tributary: { stale: [ofProduct] } }, hasNext: true },
        { extensions: { tributary: { stale: [ofProduct, ofStock] } }, hasNext: false },
      ]);
    },
  );

  test.each(['deferSpec=20220824', 'incrementalSpec=v0.2'] as const)(
    'payloads without a stale value have no extensions: %s',
    async (format) => {
      const { payloads } = await twoSubgraphs(() => ({ caching: part })).executeIncrementally(
        deferring,
        {},
        format,
      );
      expect(payloads.map((payload) => Object.keys(payload as object))).toEqual(
        format === 'incrementalSpec=v0.2'
          ? [
              ['data', 'pending', 'hasNext'],
              ['incremental', 'completed', 'hasNext'],
            ]
          : [
              ['data', 'hasNext'],
              ['incremental', 'hasNext'],
            ],
      );
    },
  );

  test('has the same lifetime for a client that accepts incremental delivery when nothing is deferred', async () => {
    const pipeline = pipelineWith(() => ({ caching: part, stale: stale('none') }));
    const query = '{ none: product { name @include(if: true) } ... @defer { none: product { name } } }';
    const { extensions, caching } = await single(pipeline, query, 'incrementalSpec=v0.2');
    expect({ extensions, caching }).toEqual({
      extensions: { tributary: { stale: [{ path: ['none'], ageMs: 20, reason: 'revalidating' }] } },
      caching: kept,
    });
  });
});
