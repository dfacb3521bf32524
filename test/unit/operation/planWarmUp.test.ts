import { describe, expect, test } from '@jest/globals';
import { buildSchema, parse } from 'graphql';
import { Preparer } from '../../../gateway/operation/preparer.ts';
import { readSupergraphNames } from '../../../gateway/planning/supergraphNames.ts';
import type { Supergraph } from '../../../gateway/supergraph/supergraph.ts';
import {
  createPlannerDouble,
  createSingleSubgraphPlanner,
  type PlannerDouble,
} from '../../harness/plannerDouble.ts';

const sdl = `
  directive @defer(if: Boolean! = true, label: String) on FRAGMENT_SPREAD | INLINE_FRAGMENT
  type Query { a: Int b: Int c: Int node: Node }
  type Node { quick: Int slow: Int }
`;

interface TestSupergraph extends Supergraph {
  readonly planner: PlannerDouble;
}

function supergraph(
  id: string,
  planner: PlannerDouble = createSingleSubgraphPlanner('only'),
): TestSupergraph {
  return {
    id,
    sdl,
    apiSchema: buildSchema(sdl),
    overrides: new Map(),
    subgraphs: new Map(),
    planner,
    names: readSupergraphNames(parse(sdl)),
  };
}

const never = new AbortController().signal;
const preparer = (cacheSize = 100) =>
  new Preparer({ cacheSize, maxSelections: 1_000, maxVariableValues: 1000 });

function request(text: string, acceptsIncremental = false) {
  return {
    document: parse(text),
    operationName: undefined,
    variables: {},
    acceptsIncremental,
    isOverridden: () => false,
  };
}

const plannedDocuments = ({ planner }: TestSupergraph): string[] =>
  planner.requests.map(({ document }) => document);

describe('the warm-up of the next supergraph', () => {
  test('plans the operations that clients used most, however rarely they were prepared', async () => {
    const [one, two, three] = [supergraph('aa'), supergraph('bb'), supergraph('cc')];
    const subject = preparer();
    for (const [text, uses] of [
      ['{ a }', 20],
      ['{ b }', 60],
      ['{ c }', 1],
    ] as const) {
      const same = request(text);
      for (let use = 0; use < uses; use++) await subject.prepare(same, one);
    }
    await subject.warm(two, one, 2, never);
    expect(plannedDocuments(two)).toEqual(['query { b }', 'query { a }']);
    // The uses before this switch also count for the next one.
    await subject.warm(three, two, 1, never);
    expect(plannedDocuments(three)).toEqual(['query { b }']);
  });

  test('still plans them after many operations that were sent once', async () => {
    const [one, two] = [supergraph('aa'), supergraph('bb')];
    const subject = preparer(4);
    const used = request('{ a }');
    for (let round = 0; round < 64; round++) {
      await subject.prepare(used, one);
      await subject.prepare(request(`{ x${round}: b }`), one);
    }
    await subject.warm(two, one, 1, never);
    expect(plannedDocuments(two)).toEqual(['query { a }']);
  });

  test('leaves no planning for the first request of a warmed operation', async () => {
    const [one, two] = [supergraph('aa'), supergraph('bb')];
    const subject = preparer();
    await subject.prepare(request('{ a }'), one);
    await subject.warm(two, one, 10, never);
    await two.planner.close();
    expect(await subject.prepare(request('{ a }'), two)).toMatchObject({ kind: 'prepared' });
  });

  test('plans an operation without @defer when the next planner cannot split it', async () => {
    const text = '{ node { quick ... @defer { slow } } }';
    const splitting = createPlannerDouble(({ document }) => ({
      kind: 'QueryPlan',
      node: {
        kind: 'Defer',
        primary: {
          node: fetchOf(document),
        },
        deferred: [{ depends: [], label: '1', queryPath: ['node'] }],
      },
    }));
    const throwing = createPlannerDouble(({ shouldSplitDefer, document }) => {
      if (shouldSplitDefer) throw new Error('has deferRef that is not mapped');
      return { kind: 'QueryPlan', node: fetchOf(document) };
    });
    const [one, two] = [supergraph('aa', splitting), supergraph('bb', throwing)];
    const subject = preparer();
    await subject.prepare(request(text, true), one);
    await subject.warm(two, one, 10, never);
    expect(two.planner.requests.map(({ shouldSplitDefer }) => shouldSplitDefer)).toEqual([true, false]);
    await subject.prepare(request(text, true), two);
    expect(two.planner.requests).toHaveLength(2);
  });

  test('ends when it is aborted', async () => {
    const [one, two] = [supergraph('aa'), supergraph('bb')];
    const subject = preparer();
    for (const text of ['{ a }', '{ b }']) await subject.prepare(request(text), one);
    await subject.warm(two, one, 10, AbortSignal.abort());
    expect(plannedDocuments(two)).toEqual([]);
  });
});

test('an operation is planned without @defer and still deferred when the planner cannot split it', async () => {
  const one = supergraph('aa');
  const prepared = await preparer().prepare(request('{ node { quick ... @defer { slow } } }', true), one);
  expect(one.planner.requests).toEqual([
    expect.objectContaining({ shouldSplitDefer: true }),
    { document: 'query { node { quick ... { slow } } }', shouldSplitDefer: false, overrides: [] },
  ]);
  expect(prepared).toMatchObject({ kind: 'prepared', operation: { deferred: [{}] } });
});

function fetchOf(document: string) {
  return {
    kind: 'Fetch',
    serviceName: 'only',
    variableUsages: [],
    operation: document,
    operationKind: 'query',
  } as const;
}
