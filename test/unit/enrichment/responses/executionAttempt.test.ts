import { describe, expect, jest, test } from '@jest/globals';
import type { GraphQLObjectType } from 'graphql';
import type { FieldResult } from '../../../../gateway/enrichment/enrichmentJob.ts';
import { ExecutionAttempt } from '../../../../gateway/enrichment/responses/executionAttempt.ts';
import type { PreparedOperation } from '../../../../gateway/operation/preparedOperation.ts';
import type { PlanNode } from '../../../../gateway/planning/queryPlan.ts';
import { ResponseShaper } from '../../../../gateway/response/responseShaper.ts';
import type { PendingField } from '../../../../gateway/response/shapeData.ts';
import type { SubgraphResponse } from '../../../../gateway/subgraphs/subgraphClient.ts';
import type { Supergraph } from '../../../../gateway/supergraph/supergraph.ts';
import { resolveInSlices } from '../../../../gateway/time/slicedTask.ts';
import { entityFetch, rootFetch } from '../../../harness/fetchNodes.ts';
import { enrichmentsAt, normalizeText, schemaOf } from '../../../harness/normalize.ts';
import { flattenAt, parallel, runPlan, sequence } from '../../../harness/runPlan.ts';
import { waitForTurns } from '../../../harness/waitForTurns.ts';

const schema = schemaOf(`
  type Query { products: [Product] }
  type Product { id: ID! stock: Int advice: Advice rating: Int! }
  type Advice { text: String! }
`);
const enrichmentOf = enrichmentsAt('Product.stock', 'Product.advice', 'Product.rating');

const fetchFrom = (serviceName: string, fields: string): PlanNode =>
  flattenAt('products.@', entityFetch(fields, { serviceName }));
const advice = fetchFrom('advice', 'advice{text}');
const stock = fetchFrom('stock', 'stock');

interface StartOptions {
  readonly maxBytes?: number;
  /** In place of what makes results. */
  readonly fault?: Error;
  /** The first results take several turns of the event loop. */
  readonly isFirstSlow?: boolean;
  /** In place of those that were found. */
  readonly places?: readonly PendingField[];
}

/** A response that was sent without its enrichments, and the run that continues. */
async function start(
  query: string,
  later: PlanNode,
  { maxBytes = 10_000, fault, isFirstSlow = false, places }: StartOptions = {},
) {
  const { root, deferred } = normalizeText(schema, query, { enrichmentOf });
  const taken: FieldResult[] = [];
  let run: ExecutionAttempt | undefined;
  const running = runPlan(sequence(rootFetch('products{__typename id}'), later), {
    root,
    groupCount: deferred.length + 1,
    onGroupComplete: () => run?.completeGroup(),
  });
  const { client, execution } = running;
  await waitForTurns();
  const products = ['1', '2'].map((id) => ({ __typename: 'Product', id }));
  client.calls[0]?.answer({ data: { products } });
  await waitForTurns();

  const operation: PreparedOperation = {
    supergraph: { apiSchema: schema } as unknown as Supergraph,
    kind: 'query',
    rootType: schema.getQueryType() as GraphQLObjectType,
    root,
    deferred: [],
    program: { steps: [], groups: [] },
    enrichments: deferred.flatMap(({ group, rule }) => (rule === undefined ? [] : [{ group, rule }])),
    isFused: false,
    isSplitRefused: false,
    overrides: [],
    introspection: undefined,
  };
  const policy = { exposeSubgraphErrors: true, exposeSubgraphs: true };
  const shaper = new ResponseShaper({ operation, execution, policy, maxBytes });
  const { pending } = await resolveInSlices(shaper.shapeFirst(new Set([0]), { isPending: () => true }));
  if (fault !== undefined) {
    shaper.shapePending = () => {
      throw fault;
    };
  }
  if (isFirstSlow) {
    const shapePending = shaper.shapePending.bind(shaper);
    let yields = 3;
    shaper.shapePending = function* (...args) {
      for (; yields > 0; yields -= 1) yield;
      return yield* shapePending(...args);
    };
  }
  let ends = 0;
  run = new ExecutionAttempt({ execution, shaper, pending: places ?? pending, onEnd: () => ends++ });
  const begun = run;
  return {
    run,
    pending,
    taken,
    begin: () => begun.collect((result) => taken.push(result)),
    ends: () => ends,
    async bring(subgraph: string, response: Partial<SubgraphResponse>): Promise<void> {
      client.calls.find(({ request }) => request.subgraph === subgraph)?.answer(response);
      await waitForTurns(3);
    },
  };
}

const entities = (...values: unknown[]) => ({ data: { _entities: values } });
const texts = entities({ advice: { text: 'a' } }, { advice: { text: 'b' } });
const summaryOf = ({ key, data, errors, isRetryable }: FieldResult) => [
  key,
  JSON.parse(JSON.stringify(data)),
  errors?.length ?? 0,
  isRetryable,
];

describe('an attempt after the first response', () => {
  test('reports one result for each pending field as it completes, and then ends', async () => {
    const { begin, bring, taken, ends } = await start(
      '{ products { id advice { text } stock } }',
      parallel(advice, stock),
    );
    const ended = begin();
    expect(taken).toEqual([]);
    await bring('stock', entities({ stock: 1 }, { stock: 2 }));
    expect(taken.map(summaryOf)).toEqual([
      ['["products",0,"stock"]', 1, 0, false],
      ['["products",1,"stock"]', 2, 0, false],
    ]);
    expect(ends()).toBe(0);
    await bring('advice', texts);
    expect(taken.slice(2).map(summaryOf)).toEqual([
      ['["products",0,"advice"]', { text: 'a' }, 0, false],
      ['["products",1,"advice"]', { text: 'b' }, 0, false],
    ]);
    await ended;
    expect(ends()).toBe(1);
  });

  test('reports results that were complete before collect()', async () => {
    const { begin, bring, taken } = await start('{ products { advice { text } } }', advice);
    await bring('advice', texts);
    expect(taken).toEqual([]);
    await begin();
    expect(taken.map(({ path }) => path)).toEqual([
      ['products', 0, 'advice'],
      ['products', 1, 'advice'],
    ]);
  });

  test('ends after its last result, although others were complete before', async () => {
    const { begin, bring, taken, ends } = await start(
      '{ products { id advice { text } stock } }',
      parallel(advice, stock),
      { isFirstSlow: true },
    );
    await bring('advice', texts);
    await bring('stock', entities({ stock: 1 }, { stock: 2 }));
    const now = performance.now.bind(performance);
    let looks = 0;
    // Each turn of the event loop has time for one slice.
    const clock = jest.spyOn(performance, 'now').mockImplementation(() => now() + 11 * looks++);
    await begin();
    clock.mockRestore();
    expect(taken.map(({ path }) => path.join('.'))).toEqual([
      'products.0.stock',
      'products.1.stock',
      'products.0.advice',
      'products.1.advice',
    ]);
    expect(ends()).toBe(1);
  });

  test('reports a value as such, also if the same fetch failed for another object', async () => {
    const { begin, bring, taken } = await start('{ products { stock } }', stock);
    const ended = begin();
    await bring('stock', {
      data: { _entities: [{ stock: 1 }, { stock: null }] },
      errors: [{ message: 'It is down.', path: ['_entities', 1, 'stock'], failureStatus: 503 }],
    });
    await ended;
    expect(taken.map(summaryOf)).toEqual([
      ['["products",0,"stock"]', 1, 0, false],
      ['["products",1,"stock"]', null, 1, true],
    ]);
  });

  test('reports a whole object when the object is pending', async () => {
    const { begin, bring, taken } = await start('{ products { id rating } }', fetchFrom('ratings', 'rating'));
    const ended = begin();
    await bring('ratings', entities({ rating: 4 }, { rating: 5 }));
    await ended;
    expect(taken.map(summaryOf)).toEqual([
      ['["products",0]', { id: '1', rating: 4 }, 0, false],
      ['["products",1]', { id: '2', rating: 5 }, 0, false],
    ]);
  });

  test.each([
    { error: { message: 'It is down.', failureStatus: 503 }, isRetryable: true },
    { error: { message: 'There is none.' }, isRetryable: false },
    { error: { message: 'There is none.', failureStatus: 500 }, isRetryable: false },
  ])('reports the error $error, and that it is retryable: $isRetryable', async ({ error, isRetryable }) => {
    const { begin, bring, taken } = await start('{ products { advice { text } } }', advice);
    const ended = begin();
    await bring('advice', { data: null, errors: [error] });
    await ended;
    expect(taken.map(summaryOf)).toEqual([
      ['["products",0,"advice"]', null, 1, isRetryable],
      ['["products",1,"advice"]', null, 1, isRetryable],
    ]);
    expect(taken.map(({ errors }) => errors?.[0]?.path)).toEqual([
      ['products', 0, 'advice'],
      ['products', 1, 'advice'],
    ]);
  });

  test('reports an invalid response as not retryable', async () => {
    const { begin, bring, taken } = await start('{ products { advice { text } } }', advice);
    const ended = begin();
    await bring('advice', entities({ advice: { text: null } }, { advice: { text: 'b' } }));
    await ended;
    expect(taken.map(summaryOf)).toEqual([
      ['["products",0,"advice"]', null, 1, false],
      ['["products",1,"advice"]', { text: 'b' }, 0, false],
    ]);
  });

  test('reports an error for each field when the result is too large', async () => {
    const options = { maxBytes: 100 };
    const { begin, bring, taken } = await start('{ products { advice { text } } }', advice, options);
    const ended = begin();
    const advices = ['x', 'y'].map((letter) => ({ advice: { text: letter.repeat(80) } }));
    await bring('advice', entities(...advices));
    await ended;
    expect(
      taken.map(({ path, data, errors, isRetryable }) => [
        path,
        data,
        errors?.map((error) => [error.path, error.extensions?.code]),
        isRetryable,
      ]),
    ).toEqual(
      [0, 1].map((index) => {
        const path = ['products', index, 'advice'];
        return [path, null, [[path, 'OPERATION_TOO_COMPLEX']], false];
      }),
    );
  });

  test('rejects with a fault of the gateway', async () => {
    const fault = new TypeError('A fault of the gateway.');
    const { begin, bring, taken, ends } = await start('{ products { advice { text } } }', advice, { fault });
    const ended = begin();
    const outcome = expect(ended).rejects.toBe(fault);
    await bring('advice', texts);
    await outcome;
    expect([taken, ends()]).toEqual([[], 1]);
  });
});

test('an attempt without pending fields ends at once', async () => {
  const { run, ends } = await start('{ products { id advice { text } } }', advice, { places: [] });
  await run.collect(() => {});
  expect(ends()).toBe(1);
});

describe('a cancelled attempt', () => {
  test('ends at once without results', async () => {
    const { begin, bring, run, taken, ends } = await start('{ products { advice { text } } }', advice);
    const ended = begin();
    run.cancel();
    run.cancel();
    await ended;
    await bring('advice', texts);
    expect([taken, ends()]).toEqual([[], 1]);
  });

  test('ends although collect() was never called', async () => {
    const { run, ends } = await start('{ products { advice { text } } }', advice);
    run.cancel();
    expect(ends()).toBe(1);
  });
});
