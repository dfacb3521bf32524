import { describe, expect, test } from '@jest/globals';
import { parse } from 'graphql';
import type { ConsumerOperation, OperationSlo } from '../../../../contracts/contractStore.ts';
import { diffSubgraph } from '../../../../contracts/diff/diffSubgraph.ts';
import { evaluateChange } from '../../../../contracts/evaluation/evaluateChange.ts';
import { evaluateUncomposableChange } from '../../../../contracts/evaluation/evaluateUncomposableChange.ts';
import type { Finding } from '../../../../contracts/finding.ts';
import { composeGraph } from '../../../../contracts/graph/composeGraph.ts';
import {
  type PlannedGraph,
  planConsumerOperations,
} from '../../../../contracts/graph/planConsumerOperations.ts';
import { supergraphTools } from '../../../../gateway/contracts/supergraphTools.ts';

const v1 = 'type Query { shelf: Shelf } type Shelf @key(fields: "id") { id: ID! label: String }';
const v2 = v1.replace('label: String', 'label: String width: Int');
const v3 = v2.replace('label: String ', '');

describe('operations', () => {
  test('that never worked are told, with what is wrong', async () => {
    const found = await judge([operation('{ shelf { colour } }')], v1, v2);
    expect(found.map(said)).toEqual(['safe field-added Shelf.width', 'breaking operation-broken shop/Page']);
    expect(found.at(-1)?.message).toBe(
      'shop/Page fails with this graph: Cannot query field "colour" on type "Shelf".',
    );
  });

  test('that never worked are not broken by a subgraph that is rolled out', async () => {
    const waiting = operation('{ shelf { colour } }');
    const told = ['safe field-added Shelf.width', 'dangerous operation-broken shop/Page'];
    const found = await judge([waiting], v1, v2, true);
    expect(found.map(said)).toEqual(told);
    expect(found.at(-1)?.message).toContain('The problem existed before the change.');
    const next = await plan([waiting], v1);
    const first = { changes: [], old: undefined, gateway: undefined, next, operations: [waiting] };
    expect(evaluateChange({ ...first, isRollout: true }).map(said)).toEqual(told.slice(1));
  });

  test('break by no change of what made no graph, unless they do not work now', async () => {
    const unused = operation('{ shelf { id } }');
    const changes = await diffSubgraph(contract(v2), contract(v3));
    const next = await plan([unused], v3);
    const first = { changes, old: undefined, gateway: undefined, next, operations: [unused] };
    expect(evaluateChange(first).map(said)).toEqual(['dangerous field-removed Shelf.label']);
  });

  test('that worked are broken by it', async () => {
    const found = await judge([operation('{ shelf { label } }')], v2, v3, true);
    expect(found.map(said)).toEqual(['breaking field-removed Shelf.label']);
  });

  test('are checked where there is nothing to compare with', async () => {
    const [page] = [operation('{ shelf { width } }')];
    const next = await plan([page], v1);
    const found = await evaluateChange({
      changes: [],
      old: undefined,
      gateway: undefined,
      next,
      operations: [page],
    });
    expect(found.map(said)).toEqual(['breaking operation-broken shop/Page']);
  });

  test('that come together with what they need do not break', async () => {
    const found = await judge([operation('{ shelf { width } }')], v1, v2);
    expect(found.map(said)).toEqual(['safe field-added Shelf.width']);
  });
});

describe('gateways that hold something else than was agreed on', () => {
  test('have their own plans checked against the new subgraph', async () => {
    const operations = [operation('{ shelf { id } }')];
    const labels = [operation('{ shelf { label } }')];
    const [old, gateway, next] = [
      await plan(operations, v2),
      await plan(labels, v2),
      await plan(operations, v3),
    ];
    const changes = await diffSubgraph(contract(v2), contract(v3));
    const found = await evaluateChange({ changes, old, gateway, next, operations });
    // Their plan of the operation still asks for the label.
    expect(found.map((finding) => [said(finding), finding.deployment?.order])).toEqual([
      ['dangerous field-removed Shelf.label', 'gateway first'],
    ]);
  });

  test('break nothing once they have the new supergraph', async () => {
    const operations = [operation('{ shelf { id } }')];
    const [old, next] = [await plan(operations, v2), await plan(operations, v3)];
    const changes = await diffSubgraph(contract(v2), contract(v3));
    const found = await evaluateChange({ changes, old, gateway: next, next, operations });
    expect(found.map(({ deployment }) => deployment)).toEqual([undefined]);
  });
});

test('a subgraph that its library refuses is told as that, and what else changed as usual', async () => {
  const operations = [operation('{ shelf { label } }')];
  const gateway = await plan(operations, v1);
  const [before, after] = [contract(v1), contract(v1.replace('fields: "id"', 'fields: "isbn"'))];
  const next = new Map([[after.name, after]]);
  const changes = await diffSubgraph(before, after);
  const composed = await composeGraph(next, supergraphTools);
  const refusals = 'findings' in composed ? composed.findings : [];
  const found = evaluateUncomposableChange({
    changes,
    gateway,
    next,
    compositionFindings: refusals,
    operations,
  });
  // The composer says the same of the same place.
  expect(refusals.map(({ rule, location }) => [rule, location?.line])).toEqual([['composition-error', 2]]);
  expect(found.map(({ severity, rule, location }) => [severity, rule, location?.line])).toEqual([
    ['breaking', 'subgraph-invalid', 2],
  ]);
  const elsewhere = [...refusals, { ...refusals[0], message: 'Something else.' } as Finding];
  const all = await evaluateUncomposableChange({
    changes,
    gateway: undefined,
    next,
    compositionFindings: elsewhere,
    operations,
  });
  expect(all.map(({ rule, message }) => [rule, message.slice(0, 10)])).toEqual([
    ['subgraph-invalid', expect.any(String)],
    ['composition-error', 'Something '],
  ]);
});

test('what is there twice is told once, at the second', async () => {
  const [before, after] = [contract(v1), contract(`${v1}\ntype Shelf { id: ID! }`)];
  const next = new Map([[after.name, after]]);
  const composed = await composeGraph(next, supergraphTools);
  const refusals = 'findings' in composed ? composed.findings : [];
  const changes = await diffSubgraph(before, after);
  const gateway = await plan([], v1);
  const found = await evaluateUncomposableChange({
    changes,
    gateway,
    next,
    compositionFindings: refusals,
    operations: [],
  });
  expect(refusals.map(({ subgraph, location }) => [subgraph, location?.line])).toEqual([['shelves', 3]]);
  expect(found.map(({ rule, location }) => [rule, location?.line])).toEqual([['subgraph-invalid', 3]]);
});

test('an operation whose fragment is within itself is told as any other that does not validate', async () => {
  const cyclic = operation('{ shelf { ...A } } fragment A on Shelf { id ...A }');
  const found = await judge([cyclic], v1, v2);
  expect(found.map(said)).toEqual(['safe field-added Shelf.width', 'breaking operation-broken shop/Page']);
  expect(found.at(-1)?.message).toContain('Cannot spread fragment "A" within itself.');
});

test('where another subgraph does not compose, the order is the same, and comes after', async () => {
  const level = 'type Query { level: Level size: Int } enum Level { BASIC }';
  const other = 'type Query { other: Int }';
  const operations = [operation('{ level }')];
  const gateway = await plan(operations, level, other);
  const before = contract(level);
  const after = contract(level.replace('BASIC', 'BASIC GOLD'));
  const wrong = contract('type Query { other: Int size: Int }', 'others');
  const next = new Map([after, wrong].map((one) => [one.name, one]));
  const composed = await composeGraph(next, supergraphTools);
  const refusals = 'findings' in composed ? composed.findings : [];
  const changes = await diffSubgraph(before, after);
  const [first, ...others] = await evaluateUncomposableChange({
    changes,
    gateway,
    next,
    compositionFindings: refusals,
    operations,
  });
  expect([first && said(first), first?.deployment]).toEqual([
    'dangerous enum-value-added Level.GOLD',
    {
      order: 'gateway first',
      steps: [
        expect.stringMatching(/^Correct what the composer refuses/),
        expect.stringMatching(/^Publish the new supergraph/),
        'Then deploy subgraph "shelves".',
      ],
    },
  ]);
  expect(others.map(said)).toEqual(['breaking composition-error Query.size']);
});

test('one more step is allowed, and told, with a latency or without', async () => {
  const far = 'type Query { far: Far } type Far @key(fields: "id") { id: ID! a: Int b: Int }';
  const near = 'type Far @key(fields: "id") { id: ID! a: Int @override(from: "shelves") }';
  const cost = async (slo: OperationSlo) => {
    const operations = [operation('{ far { a } }', slo)];
    const old = await plan(operations, far);
    const next = await plan(operations, far, near);
    const found = await evaluateChange({ changes: [], old, gateway: old, next, operations });
    return found.filter(({ rule }) => rule === 'plan-cost').map(said);
  };
  expect(await cost({ latency: 100 })).toEqual(['dangerous plan-cost shop/Page']);
  expect(await cost({})).toEqual(['dangerous plan-cost shop/Page']);
});

function said({ severity, rule, coordinate }: Finding): string {
  return `${severity} ${rule} ${coordinate}`;
}

function operation(text: string, slo: OperationSlo = {}): ConsumerOperation {
  const location = { file: 'contracts/operations/shop/page.graphql', line: 1, column: 1 };
  return { consumer: 'shop', name: 'Page', document: parse(`query Page ${text}`), location: location, slo };
}

const link =
  'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@override"])\n';

function contract(sdl: string, name = 'shelves') {
  return { name, url: `http://${name}.invalid/`, file: `contracts/schemas/${name}.graphql`, sdl: link + sdl };
}

async function plan(
  operations: readonly ConsumerOperation[],
  ...sdls: readonly string[]
): Promise<PlannedGraph> {
  const names = ['shelves', 'others'];
  const contracts = sdls.map((sdl, index) => contract(sdl, names[index]));
  const composed = await composeGraph(new Map(contracts.map((one) => [one.name, one])), supergraphTools);
  if ('findings' in composed) throw new Error(composed.findings.map(({ message }) => message).join('\n'));
  const { graph } = composed;
  try {
    return { graph, plans: await planConsumerOperations(graph, operations) };
  } finally {
    await graph.supergraph.planner.close();
  }
}

async function judge(
  operations: readonly ConsumerOperation[],
  before: string,
  after: string,
  isRollout = false,
) {
  const [old, next] = [await plan(operations, before), await plan(operations, after)];
  const changes = await diffSubgraph(contract(before), contract(after));
  return evaluateChange({ changes, old, gateway: old, next, operations, isRollout });
}
