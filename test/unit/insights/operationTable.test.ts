import { describe, expect, test } from '@jest/globals';
import { type DocumentNode, parse } from 'graphql';
import { AnswerTimes } from '../../../gateway/insights/answerTimes.ts';
import type { OperationInsights } from '../../../gateway/insights/insightsData.ts';
import {
  describeOperation,
  mergeOperationStates,
  type OperationState,
  readOperationState,
  toOperationStateData,
} from '../../../gateway/insights/operationState.ts';
import { OperationTable } from '../../../gateway/insights/operationTable.ts';
import type { PlanRecord } from '../../../gateway/insights/planRecord.ts';
import { SubgraphShares } from '../../../gateway/insights/subgraphShares.ts';
import type { PreparedOperation } from '../../../gateway/operation/preparedOperation.ts';
import { SelectionSet } from '../../../gateway/operation/selection.ts';
import { createRandom } from '../../../subgraphs/shared/random.ts';
import { FakeTimers } from '../../harness/fakeTimers.ts';

function createPrepared(): PreparedOperation {
  return {
    kind: 'query',
    root: new SelectionSet([]),
    enrichments: [],
    program: { steps: [], groups: [{ steps: [], dataSteps: [] }] },
  } as unknown as PreparedOperation;
}

/** A plan with one fetch, from this subgraph. */
function preparedWith(subgraph: string): PreparedOperation {
  const step = { shape: { subgraph, keys: ['a'] }, path: [], dependsOn: [], group: 0 };
  return {
    ...createPrepared(),
    program: { steps: [step], groups: [{ steps: [0], dataSteps: [0] }] },
  } as unknown as PreparedOperation;
}

function createTable({
  clock = new FakeTimers(),
  ...options
}: {
  clock?: FakeTimers;
  maxOperations?: number;
  maxNewDocumentsPerSecond?: number;
} = {}) {
  const answers: number[] = [];
  const table = new OperationTable({
    maxOperations: 1_000,
    maxNewDocumentsPerSecond: Number.POSITIVE_INFINITY,
    ...options,
    now: clock.now,
    wallClock: () => 1_000_000 + clock.now(),
    onAnswer: ({ completeMs }) => answers.push(completeMs),
  });
  const planOf = (document: DocumentNode, operationName?: string, operation = createPrepared()) =>
    table.planOf(operation, { document, operationName });
  /** One answer that takes this long. Does nothing for an operation that is not recorded. */
  const answer = (
    plan: PlanRecord | undefined,
    ms: number,
    { isComplete = true, hasErrors = false } = {},
  ) => {
    if (plan === undefined) return;
    const times = new AnswerTimes(plan, clock.now(), true);
    clock.advance(ms);
    if (isComplete) {
      times.onResponseReady(new Set());
      times.onFirstPayload();
    }
    times.onResponseEnd({ isComplete, hasErrors });
  };
  const described = () =>
    Array.from(table.operations.values(), (operation) => describeOperation(operation.state()));
  return { table, clock, answers, planOf, answer, described };
}

describe('the table of operations', () => {
  test('counts documents that differ only in values, layout and order as one operation, without the values', () => {
    const { planOf, answer, described } = createTable();
    answer(planOf(parse('query Who { user(email: "ann@example.com") { name age } }')), 10);
    answer(planOf(parse('query Who { user(email: "bob@example.com") { age, name } }')), 30, {
      hasErrors: true,
    });
    answer(planOf(parse('query Who { user(email: "cid@example.com") { name age } }')), 20, {
      isComplete: false,
    });
    expect(described()).toEqual([
      {
        id: expect.stringMatching(/^[0-9a-f]{12}$/),
        name: 'Who',
        kind: 'query',
        text: 'query Who {\n  user(email: "") {\n    age\n    name\n  }\n}\n',
        since: '1970-01-01T00:16:40.000Z',
        lastUsedAt: '1970-01-01T00:16:40.060Z',
        count: 3,
        errors: 1,
        aborted: 1,
        firstPayload: { p50: 10.5, p95: 28.5, p99: 28.5, mean: 20 },
        completion: { p50: 10.5, p95: 28.5, p99: 28.5, mean: 20 },
        plans: [expect.objectContaining({ recorded: 2, fetches: [], whatIf: [] })],
      },
    ]);
    expect(JSON.stringify(described())).not.toContain('example.com');
  });

  test('of several processes has the sums that one process would have', () => {
    const clock = new FakeTimers();
    const [one, ...workers] = Array.from({ length: 3 }, () => createTable({ clock }));
    const random = createRandom(1);
    for (let n = 0; n < 300; n++) {
      const document = parse(random.chance(0.5) ? 'query A { a }' : 'query B { b }');
      const end = { isComplete: random.chance(0.9), hasErrors: random.chance(0.1) };
      const ms = random.integer(1, 200);
      for (const table of [one, random.pick(workers)]) table?.answer(table.planOf(document), ms, end);
    }
    const sent = workers.map(({ table }) =>
      Array.from(table.operations.values(), (operation) =>
        readOperationState(JSON.parse(JSON.stringify(toOperationStateData(operation.state())))),
      ),
    );
    for (const expected of one?.described() ?? []) {
      const states = sent.flatMap((all) => all.filter(({ name }) => name === expected.name));
      const merged = describeOperation(mergeOperationStates(states as [OperationState, OperationState]));
      expect(merged).toEqual({ ...expected, since: expect.any(String), lastUsedAt: expect.any(String) });
    }
  });

  test('drops operations that are not used when there are too many, and keeps those in use', () => {
    const { table, planOf, answer, described } = createTable({ maxOperations: 100 });
    const steady = [parse('query Steady { a }'), parse('query Other { a }')];
    for (let n = 0; n < 5_000; n++) {
      if (n % 40 === 0)
        for (const document of steady) for (let i = 0; i < 3; i++) answer(planOf(document), 1);
      answer(planOf(parse(`{ field${n} }`)), 1);
    }
    expect(table.operations.size).toBe(100);
    const counts = new Map(described().map(({ name, count }) => [name, count]));
    expect([counts.get('Steady'), counts.get('Other')]).toEqual([375, 375]);
  });

  test('replaces one operation per second at most while all are in use', () => {
    const { table, planOf, answer } = createTable({ maxOperations: 100 });
    const documents = Array.from({ length: 200 }, (_, n) => parse(`{ field${n} }`));
    const plans = new Set<PlanRecord>();
    for (let round = 0; round < 20; round++) {
      for (const document of documents) {
        const plan = planOf(document);
        if (plan === undefined) continue;
        plans.add(plan);
        answer(plan, 5);
      }
    }
    expect(table.operations.size).toBe(100);
    // 20 rounds of half a second and more.
    expect(plans.size).toBeGreaterThan(105);
    expect(plans.size).toBeLessThan(115);
  });

  test('keeps nothing of an operation that was dropped, whose document may be used again', () => {
    const { clock, planOf, answer, described } = createTable({ maxOperations: 1 });
    const [document, prepared] = [parse('query Kept { a }'), createPrepared()];
    const plan = planOf(document, 'Kept', prepared);
    answer(plan, 1);
    clock.advance(10_000);
    answer(planOf(parse('query Other { a }')), 1);
    expect(plan?.reference.record).toBeUndefined();
    clock.advance(10_000);
    expect(planOf(document, 'Kept', prepared)).not.toBe(plan);
    expect(described()).toMatchObject([{ name: 'Kept', count: 0 }]);
  });

  test('drops an operation that was used once after ten seconds, and others after a minute', () => {
    const { table, clock, planOf, answer } = createTable({ maxOperations: 2 });
    const names = () => Array.from(table.operations.keys(), (key) => key.split(' ')[0]);
    const use = (text: string) => answer(planOf(parse(text)), 1);
    for (const text of ['query Often { a }', 'query Often { a }', 'query Once { a }']) use(text);
    clock.advance(10_000);
    use('query New { a }');
    expect(names()).toEqual(['Often', 'New']);
    use('query New { a }');
    clock.advance(50_000);
    use('query Newer { a }');
    expect(names()).toEqual(['New', 'Newer']);
  });

  test('records a bounded number of new documents per second, and counts the other requests', () => {
    const { table, clock, planOf } = createTable({ maxNewDocumentsPerSecond: 10 });
    for (let n = 0; n < 25; n++) planOf(parse(`{ field${n} }`));
    expect([table.operations.size, table.unrecorded]).toEqual([10, 15]);
    clock.advance(1_000);
    planOf(parse('{ another }'));
    expect([table.operations.size, table.unrecorded]).toEqual([11, 15]);
  });

  test('records the first answers of a plan step by step, and then each sixteenth, but at most one in 20 ms', () => {
    const { planOf } = createTable();
    const plan = planOf(parse('{ a }')) as PlanRecord;
    const takeTurns = (from: number, gapMs: number): number[] =>
      Array.from({ length: 64 }, (_, index) => (plan.takeTurn(from + index * gapMs) ? index : -1));
    const isTaken = (index: number): boolean => index >= 0;
    expect(takeTurns(0, 2).filter(isTaken)).toEqual([...Array.from({ length: 32 }).keys(), 47, 63]);
    expect(takeTurns(1_000, 1).filter(isTaken)).toEqual([15, 47]);
  });

  test('forgets what is older than ten minutes when an operation is used again', () => {
    const { clock, planOf, answer, described } = createTable();
    const document = parse('{ a }');
    answer(planOf(document), 500);
    clock.advance(600_000);
    expect(described()[0]).toMatchObject({ count: 1, completion: { p50: 500 } });
    answer(planOf(document), 5);
    expect(described()[0]).toMatchObject({ count: 1, completion: { p50: 5 } });
  });

  test('has no share of subgraphs in answers that are older than ten minutes, although an operation is not used again', () => {
    const { table, clock, planOf, answer } = createTable();
    const shares = () => {
      const all = new SubgraphShares();
      for (const { plans } of table.operations.values()) for (const plan of plans) plan.addTo(all);
      return [all.recorded, all.of('stock').answers];
    };
    const use = () => answer(planOf(parse('query Page { a }'), 'Page', preparedWith('stock')), 0);
    for (const minute of [0, 4]) {
      clock.advance(minute * 60_000);
      use();
    }
    clock.advance(3 * 60_000);
    use();
    expect(shares()).toEqual([3, 3]);
    clock.advance(3 * 60_000 + 1);
    expect(shares()).toEqual([1, 1]);
    clock.advance(5 * 60_000);
    expect(shares()).toEqual([0, 0]);
  });

  describe('with more than four plans of one operation', () => {
    const document = parse('query Page { a }');
    const prepared = ['busy', 'b', 'c', 'd', 'e', 'f'].map(preparedWith);
    const createPage = () => {
      const { clock, planOf, answer, described } = createTable();
      const use = (index: number) => answer(planOf(document, 'Page', prepared[index]), 1);
      /** The answers of the operation, and of each plan that is shown. */
      const counts = () => {
        const { count, plans } = described()[0] as OperationInsights;
        return [count, plans.map(({ fetches, recorded }) => `${fetches[0]?.subgraph} ${recorded}`)];
      };
      return { clock, planOf, use, counts };
    };

    test('replaces the plan that was used longest ago, which returns when it is used again', () => {
      const { clock, use, counts } = createPage();
      for (const index of [0, 1, 2, 3, 0, 4, 0]) use(index);
      expect(counts()).toEqual([7, ['e 1', 'd 1', 'c 1', 'busy 3']]);
      clock.advance(10_000);
      for (const index of [0, 1]) use(index);
      expect(counts()).toEqual([9, ['b 1', 'e 1', 'd 1', 'busy 4']]);
    });

    test('replaces one in ten seconds at most, and counts the answers of the others for the operation', () => {
      const { clock, planOf, use, counts } = createPage();
      for (const index of [0, 1, 2, 3, 4, 5, 0]) use(index);
      const unshown = planOf(document, 'Page', prepared[5]);
      for (const index of [5, 1, 5]) use(index);
      expect(counts()).toEqual([10, ['e 1', 'd 1', 'c 1', 'b 2']]);
      // Nothing is created for each request.
      expect(planOf(document, 'Page', prepared[5])).toBe(unshown);
      clock.advance(10_000);
      for (const index of [5, 5]) use(index);
      expect(counts()).toEqual([12, ['f 1', 'e 1', 'd 1', 'b 2']]);
    });
  });
});
