import {
  type FieldNode,
  Kind,
  type OperationDefinitionNode,
  parse,
  print,
  type SelectionNode,
  visit,
} from 'graphql';
import type { Planner, PlanRequest } from '../planning/planner.ts';
import type { PlanNode, QueryPlan } from '../planning/queryPlan.ts';

/** Plans a mutation such that all data of one root field has been read before the next one runs.
 *  The planner by itself puts root fields of one subgraph into one fetch and reads what it needs from others after
 *  that, when later mutations have perhaps changed it. A document with several root fields has no `@defer`.
 *  Errors: those of the planner. */
export async function planMutation(planner: Planner, request: PlanRequest): Promise<QueryPlan> {
  const together = await planner.plan(request);
  if (hasOnlyMutations(together)) return together;
  const operation = parse(request.document, { noLocation: true }).definitions[0] as OperationDefinitionNode;
  const fields = rootFieldsOf(operation);
  if (fields.length === 1) return together;

  const nodes: PlanNode[] = [];
  let unplanned: RootField[] = [];
  for (const [index, field] of fields.entries()) {
    const alone = await planOf([field]);
    unplanned.push(field);
    // Root fields that need nothing besides may share a fetch with each other and with the one after them.
    if (hasOnlyMutations(alone) && index < fields.length - 1) continue;
    if (unplanned.length === fields.length) return together;
    const { node } = unplanned.length === 1 ? alone : await planOf(unplanned);
    if (node?.kind === 'Sequence') nodes.push(...node.nodes);
    else if (node !== undefined && node.kind !== 'Subscription') nodes.push(node);
    unplanned = [];
  }
  return { kind: 'QueryPlan', node: { kind: 'Sequence', nodes } };

  function planOf(some: readonly RootField[]): Promise<QueryPlan> {
    return planner.plan({ ...request, document: printRootFields(operation, some), shouldSplitDefer: false });
  }
}

/** What is selected under one response name: a fragment may add to what stands outside of it. */
type RootField = readonly FieldNode[];

/** In the order in which they run. */
function rootFieldsOf(operation: OperationDefinitionNode): RootField[] {
  const byName = new Map<string, FieldNode[]>();
  gather(operation.selectionSet.selections);
  return [...byName.values()];

  function gather(selections: readonly SelectionNode[]): void {
    for (const selection of selections) {
      if (selection.kind === Kind.INLINE_FRAGMENT) gather(selection.selectionSet.selections);
      if (selection.kind !== Kind.FIELD) continue;
      const name = selection.alias?.value ?? selection.name.value;
      const same = byName.get(name);
      if (same === undefined) byName.set(name, [selection]);
      else same.push(selection);
    }
  }
}

/** The operation with these root fields and the variables that they use. */
function printRootFields(operation: OperationDefinitionNode, fields: readonly RootField[]): string {
  const selectionSet = { kind: Kind.SELECTION_SET, selections: fields.flat() } as const;
  const used = new Set<string>();
  visit(selectionSet, { [Kind.VARIABLE]: (variable) => void used.add(variable.name.value) });
  const variableDefinitions = (operation.variableDefinitions ?? []).filter((definition) =>
    used.has(definition.variable.name.value),
  );
  return print({ ...operation, variableDefinitions, selectionSet });
}

/** True if nothing is read apart from the mutations themselves. */
function hasOnlyMutations({ node }: QueryPlan): boolean {
  return node === undefined || (node.kind !== 'Subscription' && isMutation(node));
}

function isMutation(node: PlanNode): boolean {
  switch (node.kind) {
    case 'Fetch':
      return node.operationKind === 'mutation';
    case 'Sequence':
      return node.nodes.every(isMutation);
    default:
      return false;
  }
}
