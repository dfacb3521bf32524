import { afterAll, describe, expect, test } from '@jest/globals';
import { GatewayError } from '../../../gateway/errors.ts';
import { createPlannerInput, planOperation } from '../../../gateway/operation/planOperation.ts';
import { SelectionSet } from '../../../gateway/operation/selection.ts';
import type { Planner } from '../../../gateway/planning/planner.ts';
import { normalizeText, schemaOf } from '../../harness/normalize.ts';
import { loadDemoSupergraph, planDemoOperation } from '../../harness/planDemoOperation.ts';

const supergraph = await loadDemoSupergraph();
afterAll(() => supergraph.planner.close());

test('several mutations get the same plan from the printed document alone, as for a new supergraph', async () => {
  const document =
    'mutation { one: updateProfile(input: {displayName: "One"}) { displayName reviews(first: 1) ' +
    '{ author { displayName } } } two: updateProfile(input: {displayName: "Two"}) { displayName } }';
  const planned = await planDemoOperation(supergraph, { source: document, variables: {} });
  const warmed = await planOperation(supergraph.planner, {
    document,
    documentWithoutDefer: undefined,
    isSplitOptional: false,
    overrides: [],
  });
  expect(warmed).toMatchObject({ plan: planned, isSplitByPlanner: true });
  expect(planned.node).toMatchObject({
    kind: 'Sequence',
    nodes: [
      { kind: 'Fetch', serviceName: 'accounts', operationKind: 'mutation' },
      { kind: 'Flatten', node: { serviceName: 'reviews' } },
      { kind: 'Flatten', node: { serviceName: 'accounts', operationKind: 'query' } },
      { kind: 'Fetch', serviceName: 'accounts', operationKind: 'mutation' },
    ],
  });
});

describe('a split that exceeds the time limit', () => {
  const tooComplex = new GatewayError('OPERATION_TOO_COMPLEX', 'Too long.', {
    extensions: { limit: 'timeout' },
  });
  const planner = {
    plan: ({ document }: { readonly document: string }) =>
      document.includes('@defer')
        ? Promise.reject(tooComplex)
        : Promise.resolve({ kind: 'QueryPlan' as const }),
    close: () => Promise.resolve(),
  };
  const input = {
    document: 'query { ... @defer(label: "0") { me { id } } }',
    documentWithoutDefer: 'query { me { id } }',
    overrides: [],
  };

  test("is refused for the client's own @defer", async () => {
    await expect(planOperation(planner, { ...input, isSplitOptional: false })).rejects.toBe(tooComplex);
  });

  test('falls back to a plan without @defer for enrichments', async () => {
    const planned = await planOperation(planner, { ...input, isSplitOptional: true });
    expect(planned).toMatchObject({ plan: { kind: 'QueryPlan' }, isSplitByPlanner: false });
  });

  test('has the shorter split timeout only for enrichments', async () => {
    const requests: unknown[] = [];
    const recordingPlanner: Planner = {
      ...planner,
      plan: (request) => {
        requests.push([request.shouldSplitDefer, request.isOptional ?? false]);
        return planner.plan(request);
      },
    };
    await planOperation(recordingPlanner, { ...input, isSplitOptional: true });
    await planOperation(recordingPlanner, { ...input, isSplitOptional: false }).catch(() => {});
    expect(requests).toEqual([
      [true, true],
      [false, false],
      [true, false],
    ]);
  });
});

describe('the @defer of a mutation', () => {
  const schema = schemaOf(
    'type Query { a: Int } type Mutation { one: Item two: Item } type Item { id: ID name: Int }',
  );
  const isDeferPlanned = (query: string, deniedField?: string): boolean => {
    const { operation, root, deferred } = normalizeText(schema, query);
    const selections = root.selections.map((selection) =>
      selection.kind === 'Field' && selection.fieldName === deniedField
        ? { ...selection, isDenied: true }
        : selection,
    );
    const input = createPlannerInput(operation, { root: new SelectionSet(selections), deferred }, []);
    return input?.document.includes('@defer') ?? false;
  };

  test.each([
    ['one field', 'mutation { one { id ... @defer { name } } }', undefined, true],
    ['several fields', 'mutation { one { id ... @defer { name } } two { id } }', undefined, false],
    [
      'several fields, one of them deferred',
      'mutation { one { id } ... @defer { two { id } } }',
      undefined,
      false,
    ],
    [
      'several fields, one of them denied',
      'mutation { one { id ... @defer { name } } two { id } }',
      'two',
      true,
    ],
  ])('is split by the planner only if one field is executed: %s', (_, query, denied, expected) => {
    expect(isDeferPlanned(query, denied)).toBe(expected);
  });
});
