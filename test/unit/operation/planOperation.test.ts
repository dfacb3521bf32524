import { afterAll, describe, expect, test } from '@jest/globals';
import { GatewayError } from '../../../gateway/errors.ts';
import { createPlannerInput, planOperation } from '../../../gateway/operation/planOperation.ts';
import { SelectionSet } from '../../../gateway/operation/selection.ts';
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

describe('a split that exceeds a limit', () => {
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

  test('falls back to a plan without @defer', async () => {
    const planned = await planOperation(planner, input);
    expect(planned).toMatchObject({ plan: { kind: 'QueryPlan' }, isSplitByPlanner: false });
  });

  test('is refused when too many operations wait to be planned', async () => {
    const overloaded = new GatewayError('OVERLOADED', 'Too many operations wait to be planned.');
    const plan = () => Promise.reject(overloaded);
    await expect(planOperation({ ...planner, plan }, input)).rejects.toBe(overloaded);
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
