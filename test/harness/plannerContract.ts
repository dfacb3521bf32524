import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execute, type GraphQLSchema, Kind, parse, validate, visit } from 'graphql';
import type { Planner } from '../../gateway/planning/planner.ts';
import type { FetchNode, PlanNode, QueryPlan, SubscriptionNode } from '../../gateway/planning/queryPlan.ts';
import { createLocalPipeline, type LocalPipeline } from './localPipeline.ts';

/** A graph that planners are tried on: one that is known, with an executable schema for each subgraph and one that
 *  answers as all of them should together. */
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
  /** Each with a `@defer`. */
  readonly deferred: readonly { readonly title: string; readonly query: string }[];
  /** Root fields whose order can be seen in the answer. */
  readonly mutation: string;
}

/** What the gateway needs of any planner (`gateway/planning/planner.ts`), tried on one graph. Plans are judged by
 *  the answers that the executor makes of them: there is more than one right plan. */
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
    const whole = (document: string) => planner.plan({ document, shouldSplitDefer: false });
    const truth = async (query: string, variableValues: Readonly<Record<string, unknown>> = {}) =>
      JSON.parse(
        JSON.stringify(
          await execute({ schema: graph.monolith, document: withoutDefer(query), variableValues }),
        ),
      ) as unknown;

    test.each(graph.queries)('gives a plan from which comes the right answer: $title', async (trial) => {
      const answer = await pipeline.execute(trial.query, trial.variables);
      expect(answer).toEqual(await truth(trial.query, trial.variables));
    });

    test.each(graph.queries)('sends subgraphs only what they understand: $title', async ({ query }) => {
      const fetches = fetchesOf((await whole(withOperationType(query))).node);
      expect(fetches.length).toBeGreaterThan(0);
      for (const fetch of fetches) {
        const schema = graph.subgraphs.get(fetch.serviceName) as GraphQLSchema;
        const document = parse(fetch.operation);
        expect(validate(schema, document)).toEqual([]);
        const own = variablesOf(document).filter((variable) => variable !== 'representations');
        expect([...fetch.variableUsages].sort()).toEqual(own.sort());
        expect(fetch.requires === undefined).toBe(!variablesOf(document).includes('representations'));
      }
    });

    test.each(graph.deferred)('answers in parts, by itself or by the executor: $title', async ({ query }) => {
      const { payloads, merged } = await pipeline.executeIncrementally(query);
      expect(merged).toEqual(await truth(query));
      expect(payloads.length).toBeGreaterThan(1);
      if (planner.supportsDefer === false) return;
      // Passing over a `@defer` in silence is the one thing that it may not do.
      const document = withOperationType(withLabels(query));
      const outcome = await planner
        .plan({ document, shouldSplitDefer: true })
        .catch((error: unknown) => error);
      if (outcome instanceof Error) expect(outcome).toMatchObject({ code: 'PLANNING_FAILED' });
      else expect(JSON.stringify(outcome)).toContain('"kind":"Defer"');
    });

    test('runs the root fields of a mutation in their order', async () => {
      expect(await pipeline.execute(graph.mutation)).toEqual(await truth(graph.mutation));
    });

    test('gives plans that are plain JSON and the same each time', async () => {
      const plan = await whole(someDocument);
      expect(JSON.parse(JSON.stringify(plan))).toEqual(plan);
      expect(await whole(someDocument)).toEqual(plan);
    });

    test('plans any number of operations at a time', async () => {
      const documents = graph.queries.map(({ query }) => withOperationType(query));
      const together = await Promise.all([...documents, ...documents].map(whole));
      const alone: QueryPlan[] = [];
      for (const document of documents) alone.push(await whole(document));
      expect(together).toEqual([...alone, ...alone]);
    });

    test('fails with PLANNING_FAILED and its own words as the cause, and goes on', async () => {
      await expect(whole('query { doesNotParse')).rejects.toMatchObject({
        code: 'PLANNING_FAILED',
        cause: expect.objectContaining({ message: expect.stringMatching(/./) }),
      });
      expect(await whole(someDocument)).toMatchObject({ kind: 'QueryPlan' });
    });

    test('plans nothing more when it is closed, as often as it is', async () => {
      const closed = await create(graph.sdl);
      await closed.close();
      await closed.close();
      await expect(closed.plan({ document: someDocument, shouldSplitDefer: false })).rejects.toMatchObject({
        code: 'PLANNING_FAILED',
      });
    });
  });
}

/** Preparation always writes it. */
function withOperationType(query: string): string {
  return query.startsWith('{') ? `query ${query}` : query;
}

/** As preparation writes them. */
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
    case 'Condition':
      return [...fetchesOf(node.ifClause), ...fetchesOf(node.elseClause)];
    case 'Defer':
      return [node.primary, ...node.deferred].flatMap((part) => fetchesOf(part.node));
    case 'Subscription':
      return [node.primary, ...fetchesOf(node.rest)];
  }
}
