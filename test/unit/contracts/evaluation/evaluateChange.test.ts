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
import { inProcessSupergraphTools } from '../../../harness/inProcessSupergraphTools.ts';

const v1 = 'type Query { shelf: Shelf } type Shelf @key(fields: "id") { id: ID! label: String }';
const v2 = v1.replace('label: String', 'label: String width: Int');
const v3 = v2.replace('label: String ', '');

describe('evaluateChange reports an operation', () => {
  test('that fails before and after the change as breaking, with the reason', async () => {
    const found = await evaluate([operation('{ shelf { colour } }')], v1, v2);
    expect(found.map(summaryOf)).toEqual([
      'safe field-added Shelf.width',
      'breaking operation-broken shop/Page',
    ]);
    expect(found.at(-1)?.message).toBe(
      'shop/Page fails with this graph: Cannot query field "colour" on type "Shelf". It fails with the earlier graph, too.',
    );
  });

  test('with an unknown directive with what to do if the client itself applies the directive', async () => {
    const [found] = await evaluate([operation('{ shelf { label @client id @client @rest } }')], v1, v1);
    expect(found).toMatchObject({
      message: expect.stringMatching(/: Unknown directive "@client"; Unknown directive "@rest"\./),
      advice: expect.stringMatching(
        /^If the client itself applies @client and @rest, and does not send it, put the operation into the store/,
      ),
    });
  });

  test('that failed before with the coordinates of its problems, unless it has a new one', async () => {
    const broken = operation('{ shelf { colour label } }');
    const problemsOf = async (next: string) => {
      const found = await evaluate([broken], v2, next);
      return found.find(({ rule }) => rule === 'operation-broken')?.earlierProblems;
    };
    expect(await problemsOf(v1)).toEqual([['Shelf.colour']]);
    expect(await problemsOf(v3)).toBeUndefined();
  });

  test('that failed before a rollout as dangerous, not as broken by it', async () => {
    const waiting = operation('{ shelf { colour } }');
    const summaries = ['safe field-added Shelf.width', 'dangerous operation-broken shop/Page'];
    const found = await evaluate([waiting], v1, v2, true);
    expect(found.map(summaryOf)).toEqual(summaries);
    expect(found.at(-1)?.message).toContain('The problem existed before the change.');
    const next = await plan([waiting], v1);
    const first = { changes: [], old: undefined, gateway: undefined, next, operations: [waiting] };
    expect(evaluateChange({ ...first, isRollout: true }).map(summaryOf)).toEqual(summaries.slice(1));
  });

  test('against a baseline that does not compose only if it fails now', async () => {
    const unused = operation('{ shelf { id } }');
    const changes = await diffSubgraph(contract(v2), contract(v3));
    const next = await plan([unused], v3);
    const first = { changes, old: undefined, gateway: undefined, next, operations: [unused] };
    expect(evaluateChange(first).map(summaryOf)).toEqual(['dangerous field-removed Shelf.label']);
  });

  test('that worked before a rollout as broken by it', async () => {
    const found = await evaluate([operation('{ shelf { label } }')], v2, v3, true);
    expect(found.map(summaryOf)).toEqual(['breaking field-removed Shelf.label']);
  });

  test('that fails when there is no baseline', async () => {
    const [page] = [operation('{ shelf { width } }')];
    const next = await plan([page], v1);
    const found = await evaluateChange({
      changes: [],
      old: undefined,
      gateway: undefined,
      next,
      operations: [page],
    });
    expect(found.map(summaryOf)).toEqual(['breaking operation-broken shop/Page']);
  });

  test('that is added together with the schema it needs as working', async () => {
    const found = await evaluate([operation('{ shelf { width } }')], v1, v2);
    expect(found.map(summaryOf)).toEqual(['safe field-added Shelf.width']);
  });
});

describe('gateways with another supergraph than the contracts compose to', () => {
  test('have the plans of their own supergraph checked against the new subgraph', async () => {
    const operations = [operation('{ shelf { id } }')];
    const labels = [operation('{ shelf { label } }')];
    const [old, gateway, next] = [
      await plan(operations, v2),
      await plan(labels, v2),
      await plan(operations, v3),
    ];
    const changes = await diffSubgraph(contract(v2), contract(v3));
    const found = await evaluateChange({ changes, old, gateway, next, operations });
    // The gateways' plan still fetches the label.
    expect(found.map((finding) => [summaryOf(finding), finding.deployment?.order])).toEqual([
      ['dangerous field-removed Shelf.label', 'gateway first'],
    ]);
  });

  test('report no breakage once they hold the new supergraph', async () => {
    const operations = [operation('{ shelf { id } }')];
    const [old, next] = [await plan(operations, v2), await plan(operations, v3)];
    const changes = await diffSubgraph(contract(v2), contract(v3));
    const found = await evaluateChange({ changes, old, gateway: next, next, operations });
    expect(found.map(({ deployment }) => deployment)).toStrictEqual([undefined]);
  });

  test('have their plans checked although the running subgraphs do not compose, as in the last step of a move', async () => {
    const operations = [operation('{ shelf { label } }')];
    const moved = 'type Shelf @key(fields: "id") { id: ID! label: String }';
    // The last step: the gateways know the new place of the label, and the old place goes.
    const next = await plan(operations, v3, moved);
    const [running, changes] = [contractsOf(v2, moved), await diffSubgraph(contract(v2), contract(v3))];
    const last = { changes, old: undefined, running, next, operations, isRollout: true };
    expect(evaluateChange({ ...last, gateway: next }).map(summaryOf)).toEqual([
      'safe field-removed Shelf.label',
    ]);
    // Too early: the gateways still fetch the label from its old place.
    const found = evaluateChange({ ...last, gateway: await plan(operations, v2) });
    expect(found.map((finding) => [summaryOf(finding), finding.deployment?.order])).toStrictEqual([
      ['dangerous field-removed Shelf.label', 'gateway first'],
      ['dangerous plan-cost shop/Page', undefined],
    ]);
  });

  test('have breakages by other subgraphs reported with the names of these, and not as caused by the change', async () => {
    const operations = [operation('{ shelf { label } }')];
    const [others1, others2] = ['type Query { other: Int }', 'type Query { other: Int more: Int }'];
    const gateway = await plan(operations, v2, others1);
    const old = await plan(operations, v3, others1);
    const next = await plan(operations, v3, others2);
    const changes = await diffSubgraph(contract(others1, 'others'), contract(others2, 'others'));
    const rollout = { changes, old, gateway, next, operations, isRollout: true };
    const found = evaluateChange({ ...rollout, running: contractsOf(v3, others1) });
    expect(found.map(summaryOf)).toEqual([
      'safe field-added Query.more',
      'dangerous operation-broken shop/Page',
    ]);
    expect(found[1]?.message).toContain(
      'This change does not cause it: the running version of "shelves" is not the one',
    );
    // A change that breaks it as well is the cause.
    const both = await plan(operations, v3, others1);
    const removal = await diffSubgraph(contract(v2), contract(v3));
    expect(
      evaluateChange({
        ...rollout,
        changes: removal,
        old: gateway,
        next: both,
        running: contractsOf(v2, others1),
      }).map(summaryOf),
    ).toEqual(['breaking field-removed Shelf.label']);
  });
});

test('a subgraph that its library refuses is reported once, beside the changes of other subgraphs', async () => {
  const operations = [operation('{ shelf { label } }')];
  const gateway = await plan(operations, v1);
  const [before, after] = [contract(v1), contract(v1.replace('fields: "id"', 'fields: "isbn"'))];
  const next = new Map([[after.name, after]]);
  const changes = await diffSubgraph(before, after);
  const composed = await composeGraph(next, inProcessSupergraphTools);
  const refusals = 'findings' in composed ? composed.findings : [];
  const found = evaluateUncomposableChange({
    changes,
    gateway,
    next,
    compositionFindings: refusals,
    operations,
  });
  // The composer reports the same at the same location.
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

test.each([
  ['refuses', v1.replace('fields: "id"', 'fields: "isbn"')],
  ['cannot parse', `${v1} type {`],
])('changes are evaluated beside a running subgraph that its library %s', async (_, wrong) => {
  const operations = [operation('{ shelf { label } }')];
  const [before, after] = ['type Query { other: Int }', 'type Query { other: Int more: Int }'];
  const gateway = await plan(operations, v1, before);
  const next = contractsOf(wrong, after);
  const composed = await composeGraph(next, inProcessSupergraphTools);
  const found = evaluateUncomposableChange({
    changes: await diffSubgraph(contract(before, 'others'), contract(after, 'others')),
    gateway,
    next,
    compositionFindings: 'findings' in composed ? composed.findings : [],
    operations,
  });
  expect(found.map(({ severity, rule, subgraph }) => `${severity} ${rule} ${subgraph}`)).toEqual([
    'safe field-added others',
    'breaking composition-error shelves',
  ]);
});

test('what did not compose before a candidate is dangerous, and named as such', async () => {
  const operations = [operation('{ shelf { label } }')];
  const gateway = await plan(operations, v2);
  const moved = 'type Shelf @key(fields: "id") { id: ID! label: String }';
  const [before, next] = [contractsOf(v2, moved), contractsOf(v2, moved)];
  const candidate = contract('type Query { lamp: Int }', 'lamps');
  next.set('lamps', candidate);
  const [earlier, composed] = [
    await composeGraph(before, inProcessSupergraphTools),
    await composeGraph(next, inProcessSupergraphTools),
  ];
  if (!('findings' in earlier) || !('findings' in composed)) throw new Error('It composes.');
  const uncomposable = {
    changes: await diffSubgraph(undefined, candidate),
    gateway,
    next,
    compositionFindings: composed.findings,
    operations,
  };
  const evaluated = evaluateUncomposableChange({
    ...uncomposable,
    earlierCompositionFindings: earlier.findings,
  });
  expect(evaluated.map(summaryOf)).toEqual([
    'safe subgraph-added undefined',
    'dangerous composition-error Shelf.label',
  ]);
  expect(evaluated[1]?.message).toMatch(/"shelves".* The problem existed before the change\.$/);
  expect(evaluateUncomposableChange(uncomposable).map(summaryOf)).toEqual([
    'safe subgraph-added undefined',
    'breaking composition-error Shelf.label',
  ]);
});

test('a duplicate definition is reported once, at the second location', async () => {
  const [before, after] = [contract(v1), contract(`${v1}\ntype Shelf { id: ID! }`)];
  const next = new Map([[after.name, after]]);
  const composed = await composeGraph(next, inProcessSupergraphTools);
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

test('an operation with a recursive fragment is reported as invalid', async () => {
  const cyclic = operation('{ shelf { ...A } } fragment A on Shelf { id ...A }');
  const found = await evaluate([cyclic], v1, v2);
  expect(found.map(summaryOf)).toEqual([
    'safe field-added Shelf.width',
    'breaking operation-broken shop/Page',
  ]);
  expect(found.at(-1)?.message).toContain('Cannot spread fragment "A" within itself.');
});

test('a composition error of another subgraph keeps the rollout order and adds a first step', async () => {
  const level = 'type Query { level: Level size: Int } enum Level { BASIC }';
  const other = 'type Query { other: Int }';
  const operations = [operation('{ level }')];
  const gateway = await plan(operations, level, other);
  const before = contract(level);
  const after = contract(level.replace('BASIC', 'BASIC GOLD'));
  const wrong = contract('type Query { other: Int size: Int }', 'others');
  const next = new Map([after, wrong].map((one) => [one.name, one]));
  const composed = await composeGraph(next, inProcessSupergraphTools);
  const refusals = 'findings' in composed ? composed.findings : [];
  const changes = await diffSubgraph(before, after);
  const [first, ...others] = await evaluateUncomposableChange({
    changes,
    gateway,
    next,
    compositionFindings: refusals,
    operations,
  });
  expect([first && summaryOf(first), first?.deployment]).toEqual([
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
  expect(others.map(summaryOf)).toEqual(['breaking composition-error Query.size']);
});

describe('the rollout steps', () => {
  const shelves = `type Query { shelf: Shelf }
    type Shelf @key(fields: "id") { id: ID! label: String size: Int width: Int }`;
  const takesWidth = 'type Shelf @key(fields: "id") { id: ID! width: Int @override(from: "shelves") }';
  const page = operation('{ shelf { width } }');
  const overridesWidth = 'width: Int @override(from: "shelves")';
  const areaFrom = (required: string, own = '') => `type Shelf @key(fields: "id") {
    id: ID! label: String @external size: Int @external area: Int @requires(fields: "${required}") ${own}
    name: Int @requires(fields: "label") }`;

  test('of a new subgraph mention no old version of it', async () => {
    const [old, next] = [await plan([page], shelves), await plan([page], shelves, takesWidth)];
    const changes = await diffSubgraph(undefined, contract(takesWidth, 'others'));
    const [added] = evaluateChange({ changes, old, gateway: old, next, operations: [page] });
    expect([added?.deployment, added?.affects?.map(({ reason }) => reason)]).toEqual([
      {
        order: 'subgraph first',
        steps: [
          'Deploy subgraph "others".',
          'Then publish the new supergraph to the gateways: its plans fetch from "others".',
        ],
      },
      ['until the subgraph runs: there is no subgraph "others"'],
    ]);
  });

  test('of a new subgraph that breaks an operation begin with another version of it', async () => {
    const filtered = shelves.replace('shelf: Shelf', 'shelf(id: ID): Shelf @shareable');
    const sharing = 'type Query { shelf: Shelf @shareable } type Shelf @key(fields: "id") { id: ID! }';
    const query = operation('{ shelf(id: 1) { size } }');
    const [old, next] = [await plan([query], filtered), await plan([query], filtered, sharing)];
    const changes = await diffSubgraph(undefined, contract(sharing, 'others'));
    const [added] = evaluateChange({ changes, old, gateway: old, next, operations: [query] });
    expect(added?.deployment).toEqual({
      order: 'expand and contract',
      steps: [
        expect.stringMatching(/^Make a version of subgraph "others" with which the graph still serves/),
        expect.stringMatching(/^Move the consumers/),
        expect.stringMatching(/^Let subgraph "others" take over the rest/),
      ],
    });
  });

  test('of a removed subgraph keep it running, and mention no new version of it', async () => {
    const withDepth = 'type Shelf @key(fields: "id") { id: ID! depth: Int }';
    const query = operation('{ shelf { depth } }');
    const [old, next] = [await plan([query], shelves, withDepth), await plan([query], shelves)];
    const changes = await diffSubgraph(contract(withDepth, 'others'), undefined);
    const [removed] = evaluateChange({ changes, old, gateway: old, next, operations: [query] });
    expect(removed?.deployment).toEqual({
      order: 'expand and contract',
      steps: [
        expect.stringMatching(/^Keep subgraph "others" running\./),
        'Publish the supergraph without "others", and wait until no gateway runs with the old one.',
        'Then stop subgraph "others".',
      ],
    });
  });

  test('of a new required argument keep its field as it is, because the running version has no such argument', async () => {
    const [added] = await evaluate(
      [operation('{ shelf { id } }')],
      v1,
      v1.replace('shelf: Shelf', 'shelf(id: ID!): Shelf'),
    );
    expect(added?.rule).toBe('argument-added');
    expect(added?.deployment?.steps[0]).toContain('still serves Query.shelf as before; otherwise');
  });

  test('of a subgraph that nothing needs after its removal stop it last', async () => {
    const [old, next] = [await plan([page], shelves, takesWidth), await plan([page], shelves)];
    const changes = await diffSubgraph(contract(takesWidth, 'others'), undefined);
    const [removed] = evaluateChange({ changes, old, gateway: old, next, operations: [page] });
    expect(removed?.deployment).toEqual({
      order: 'gateway first',
      steps: [
        'Publish the new supergraph, and wait until no gateway runs with the old one: its plans fetch from "others".',
        'Then stop subgraph "others".',
      ],
    });
  });

  test.each([
    ['one operation', [operation('{ shelf { area width } }')]],
    ['an operation each', [operation('{ shelf { area } }'), { ...page, name: 'Width' }]],
  ])(
    'of two changes of one version that need opposite orders are the same, and quote the reason of each: %s',
    async (_, operations) => {
      const [before, after] = [areaFrom('size'), areaFrom('size label', overridesWidth)];
      const [old, next] = [await plan(operations, shelves, before), await plan(operations, shelves, after)];
      const changes = await diffSubgraph(contract(before, 'others'), contract(after, 'others'));
      const found = evaluateChange({ changes, old, gateway: old, next, operations });
      const steps = new Map(found.map(({ rule, deployment }) => [rule, deployment?.steps.join('\n')]));
      const order = found.flatMap(({ rule, deployment }) => (deployment ? [[rule, deployment.order]] : []));
      expect(order).toEqual([
        ['field-added', 'expand and contract'],
        ['requires-widened', 'expand and contract'],
        ['override-added', 'expand and contract'],
      ]);
      expect(steps.get('requires-widened')).toContain('computes Shelf.area from "size label"');
      expect(steps.get('requires-widened')).not.toContain('Cannot query field "width"');
      for (const rule of ['field-added', 'override-added'] as const) {
        expect(steps.get(rule)).toContain('Cannot query field "width"');
        expect(steps.get(rule)).not.toContain('Shelf.area');
      }
    },
  );

  test('of a change do not depend on what fails already, because gateways lack the running version', async () => {
    const operations = [operation('{ shelf { area } }'), { ...page, name: 'Width' }];
    const [running, candidate] = [areaFrom('size label'), areaFrom('size label', overridesWidth)];
    const gateway = await plan(operations, shelves, areaFrom('size'));
    const [old, next] = [
      await plan(operations, shelves, running),
      await plan(operations, shelves, candidate),
    ];
    const changes = await diffSubgraph(contract(running, 'others'), contract(candidate, 'others'));
    const rollout = { changes, old, running: contractsOf(shelves, running), gateway, next, operations };
    const found = evaluateChange({ ...rollout, isRollout: true });
    expect(found.slice(0, 2).map((finding) => [summaryOf(finding), finding.deployment?.order])).toEqual([
      ['safe field-added Shelf.width', 'subgraph first'],
      ['safe override-added Shelf.width', 'subgraph first'],
    ]);
    expect(found.map(summaryOf)).toContain('breaking operation-broken shop/Page');
  });
});

test('one more sequential fetch is reported as dangerous, with and without a latency objective', async () => {
  const far = 'type Query { far: Far } type Far @key(fields: "id") { id: ID! a: Int b: Int }';
  const near = 'type Far @key(fields: "id") { id: ID! a: Int @override(from: "shelves") }';
  const cost = async (slo: OperationSlo) => {
    const operations = [operation('{ far { a } }', slo)];
    const old = await plan(operations, far);
    const next = await plan(operations, far, near);
    const found = await evaluateChange({ changes: [], old, gateway: old, next, operations });
    return found.filter(({ rule }) => rule === 'plan-cost').map(summaryOf);
  };
  expect(await cost({ latency: 100 })).toEqual(['dangerous plan-cost shop/Page']);
  expect(await cost({})).toEqual(['dangerous plan-cost shop/Page']);
});

test('evaluateChange does not blame a subgraph whose @external field follows the type of the subgraph that serves it', async () => {
  const [served, external] = ['size: Int!', 'size: Int! @external depth: Int @requires(fields: "size")'].map(
    (fields) => `type Shelf @key(fields: "id") { id: ID! ${fields} }`,
  ) as [string, string];
  const before = [`type Query { shelf: Shelf } ${served}`, external];
  const after = before.map((sdl) => sdl.replace('Int!', 'Int'));
  const operations = [operation('{ shelf { size } }')];
  const [old, next] = [await plan(operations, ...before), await plan(operations, ...after)];
  const changed = [...contractsOf(...before).values()].map((one, index) =>
    diffSubgraph(one, contract(after[index] ?? '', one.name)),
  );
  const found = evaluateChange({
    changes: (await Promise.all(changed)).flat(),
    old,
    gateway: old,
    next,
    operations,
  });
  expect(
    found.map((finding) => [finding.subgraph, summaryOf(finding), finding.affects?.length]),
  ).toStrictEqual([
    ['shelves', 'breaking field-type-changed Shelf.size', 1],
    ['others', 'safe external-field-type-changed Shelf.size', undefined],
  ]);
});

function summaryOf({ severity, rule, coordinate }: Finding): string {
  return `${severity} ${rule} ${coordinate}`;
}

function operation(text: string, slo: OperationSlo = {}): ConsumerOperation {
  const location = { file: 'contracts/operations/shop/page.graphql', line: 1, column: 1 };
  return { consumer: 'shop', name: 'Page', document: parse(`query Page ${text}`), location, slo };
}

const link =
  'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@override", "@external", "@requires", "@shareable"])\n';

function contract(sdl: string, name = 'shelves') {
  return { name, url: `http://${name}.invalid/`, file: `contracts/schemas/${name}.graphql`, sdl: link + sdl };
}

function contractsOf(...sdls: readonly string[]) {
  const contracts = sdls.map((sdl, index) => contract(sdl, ['shelves', 'others'][index]));
  return new Map(contracts.map((one) => [one.name, one]));
}

async function plan(
  operations: readonly ConsumerOperation[],
  ...sdls: readonly string[]
): Promise<PlannedGraph> {
  const composed = await composeGraph(contractsOf(...sdls), inProcessSupergraphTools);
  if ('findings' in composed) throw new Error(composed.findings.map(({ message }) => message).join('\n'));
  const { graph } = composed;
  try {
    return { graph, plans: await planConsumerOperations(graph, operations) };
  } finally {
    await graph.supergraph.planner.close();
  }
}

async function evaluate(
  operations: readonly ConsumerOperation[],
  before: string,
  after: string,
  isRollout = false,
) {
  const [old, next] = [await plan(operations, before), await plan(operations, after)];
  const changes = await diffSubgraph(contract(before), contract(after));
  return evaluateChange({ changes, old, gateway: old, next, operations, isRollout });
}
