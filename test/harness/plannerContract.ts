import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execute, type GraphQLSchema, Kind, parse, validate, visit } from 'graphql';
import type { Planner } from '../../gateway/planning/planner.ts';
import type { FetchNode, PlanNode, QueryPlan, SubscriptionNode } from '../../gateway/planning/queryPlan.ts';
import { createLocalPipeline, type LocalPipeline } from './localPipeline.ts';

/** A graph on which planners are tested: an executable schema for each subgraph, and one that responds like all of
 *  them together. */
export interface PlannerTestGraph {
  readonly sdl: string;
  readonly apiSchema: GraphQLSchema;
  readonly subgraphs: ReadonlyMap<string, GraphQLSchema>;
  readonly monolith: GraphQLSchema;
  readonly queries: readonly {
    readonly title: string;
    readonly query: string;
    readonly variables?: Readonly<Record<string, unknown>>;
  }[];
  /** Queries with `@defer`. */
  readonly deferred: readonly { readonly title: string; readonly query: string }[];
  /** A mutation whose response shows the order of its root fields. */
  readonly mutation: string;
}

/** Defines the tests that every planner of the gateway must pass (`gateway/planning/planner.ts`), on one graph. They
 *  check the responses of the executor instead of the plans, because several plans may be correct. */
export function describePlannerContract(
  name: string,
  graph: PlannerTestGraph,
  create: (sdl: string) => Promise<Planner>,
): void {
  describe(`${name} as a planner`, () => {
    let planner: Planner;
    let pipeline: LocalPipeline;
    beforeAll(async () => {
      planner = await create(graph.sdl);
      pipeline = createLocalPipeline({ ...graph, planner });
    });
    afterAll(() => planner.close());

    const someDocument = withOperationType(graph.queries[0]?.query ?? '');
    const planComplete = (document: string) => planner.plan({ document, shouldSplitDefer: false });
    const expectedFor = async (query: string, variableValues: Readonly<Record<string, unknown>> = {}) =>
      JSON.parse(
        JSON.stringify(
          await execute({ schema: graph.monolith, document: withoutDefer(query), variableValues }),
        ),
      ) as unknown;

    test.each(graph.queries)('makes plans with a correct response: $title', async (trial) => {
      const answer = await pipeline.execute(trial.query, trial.variables);
      expect(answer).toEqual(await expectedFor(trial.query, trial.variables));
    });

    test.each(graph.queries)(
      'makes plans with fetches that are valid in their subgraphs: $title',
      async ({ query }) => {
        const fetches = fetchesOf((await planComplete(withOperationType(query))).node);
        expect(fetches.length).toBeGreaterThan(0);
        for (const fetch of fetches) {
          const schema = graph.subgraphs.get(fetch.serviceName) as GraphQLSchema;
          const document = parse(fetch.operation);
          expect(validate(schema, document)).toEqual([]);
          const own = variablesOf(document).filter((variable) => variable !== 'representations');
          expect([...fetch.variableUsages].sort()).toEqual(own.sort());
          expect(fetch.requires === undefined).toBe(!variablesOf(document).includes('representations'));
        }
      },
    );

    test.each(graph.deferred)(
      'delivers incremental responses, by its own plan or by the executor: $title',
      async ({ query }) => {
        const { payloads, merged } = await pipeline.executeIncrementally(query);
        expect(merged).toEqual(await expectedFor(query));
        expect(payloads.length).toBeGreaterThan(1);
        // A planner may refuse `@defer`, but must not ignore it silently.
        const document = withOperationType(withLabels(query));
        const outcome = await planner
          .plan({ document, shouldSplitDefer: true })
          .catch((error: unknown) => error);
        if (outcome instanceof Error) expect(outcome).toMatchObject({ code: 'PLANNING_FAILED' });
        else expect(JSON.stringify(outcome)).toContain('"kind":"Defer"');
      },
    );

    test('plans the root fields of a mutation in their order', async () => {
      expect(await pipeline.execute(graph.mutation)).toEqual(await expectedFor(graph.mutation));
    });

    test('makes plans that are plain JSON and always the same', async () => {
      const plan = await planComplete(someDocument);
      expect(JSON.parse(JSON.stringify(plan))).toEqual(plan);
      expect(await planComplete(someDocument)).toEqual(plan);
    });

    test('plans several operations at the same time', async () => {
      const documents = graph.queries.map(({ query }) => withOperationType(query));
      const concurrent = await Promise.all([...documents, ...documents].map(planComplete));
      const sequential: QueryPlan[] = [];
      for (const document of documents) sequential.push(await planComplete(document));
      expect(concurrent).toEqual([...sequential, ...sequential]);
    });

    test('rejects an invalid operation with PLANNING_FAILED and its own error as the cause, and stays usable', async () => {
      await expect(planComplete('query { doesNotParse')).rejects.toMatchObject({
        code: 'PLANNING_FAILED',
        cause: expect.objectContaining({ message: expect.stringMatching(/./) }),
      });
      expect(await planComplete(someDocument)).toMatchObject({ kind: 'QueryPlan' });
    });

    test('rejects operations after close, which may be called twice', async () => {
      const closed = await create(graph.sdl);
      await closed.close();
      await closed.close();
      await expect(closed.plan({ document: someDocument, shouldSplitDefer: false })).rejects.toMatchObject({
        code: 'PLANNING_FAILED',
      });
    });
  });
}

/** Preparation always writes the operation type. */
function withOperationType(query: string): string {
  return query.startsWith('{') ? `query ${query}` : query;
}

/** Preparation writes labels like these. */
function withLabels(query: string): string {
  let count = 0;
  return query.replaceAll('@defer', () => `@defer(label: "${count++}")`);
}

/** `... @defer { a }` → `... { a }`. */
function withoutDefer(query: string) {
  return visit(parse(query), {
    [Kind.DIRECTIVE]: (directive) => (directive.name.value === 'defer' ? null : undefined),
  });
}

function variablesOf(document: ReturnType<typeof parse>): string[] {
  const names = new Set<string>();
  visit(document, { [Kind.VARIABLE_DEFINITION]: (node) => void names.add(node.variable.name.value) });
  return [...names];
}

function fetchesOf(node: PlanNode | SubscriptionNode | undefined): FetchNode[] {
  switch (node?.kind) {
    case undefined:
      return [];
    case 'Fetch':
      return [node];
    case 'Flatten':
      return fetchesOf(node.node);
    case 'Sequence':
    case 'Parallel':
      return node.nodes.flatMap(fetchesOf);
    case 'Defer':
      return [node.primary, ...node.deferred].flatMap((part) => fetchesOf(part.node));
    case 'Subscription':
      return [node.primary, ...fetchesOf(node.rest)];
  }
}
