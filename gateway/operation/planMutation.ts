import {
  type FieldNode,
  Kind,
  type OperationDefinitionNode,
  parse,
  print,
  type SelectionNode,
} from 'graphql';
import type { Planner, PlanRequest } from '../planning/planner.ts';
import type { PlanNode, QueryPlan } from '../planning/queryPlan.ts';
import { withUsedVariables } from '../planning/usedVariableDefinitions.ts';
import { getOrInsertComputed } from '../sharing/getOrInsertComputed.ts';

/** Plans a mutation such that all data of one root field is read before the next root field is executed. The planner
 *  alone puts root fields of one subgraph into one fetch, and reads further data from other subgraphs after it, when
 *  later root fields may have changed that data. A document with several root fields contains no `@defer`.
 *  @throws {GatewayError} see `Planner.plan`. */
export async function planMutation(planner: Planner, request: PlanRequest): Promise<QueryPlan> {
  const combined = await planner.plan(request);
  if (hasOnlyMutations(combined)) return combined;
  const operation = parse(request.document, { noLocation: true }).definitions[0] as OperationDefinitionNode;
  const fields = rootFieldsOf(operation);
  if (fields.length === 1) return combined;

  const nodes: PlanNode[] = [];
  let unplanned: RootField[] = [];
  for (const [index, field] of fields.entries()) {
    const alone = await planOf([field]);
    unplanned.push(field);
    // Consecutive root fields without further fetches may share a fetch, also with the root field after them.
    if (hasOnlyMutations(alone) && index < fields.length - 1) continue;
    if (unplanned.length === fields.length) return combined;
    const { node } = unplanned.length === 1 ? alone : await planOf(unplanned);
    if (node?.kind === 'Sequence') nodes.push(...node.nodes);
    else if (node !== undefined && node.kind !== 'Subscription') nodes.push(node);
    unplanned = [];
  }
  return { kind: 'QueryPlan', node: { kind: 'Sequence', nodes } };

  function planOf(selected: readonly RootField[]): Promise<QueryPlan> {
    const document = printRootFields(operation, selected);
    return planner.plan({ ...request, document, shouldSplitDefer: false });
  }
}

/** All root selections of one response name, inside and outside of fragments. */
type RootField = readonly FieldNode[];

/** Root fields in execution order. */
function rootFieldsOf(operation: OperationDefinitionNode): RootField[] {
  const byName = new Map<string, FieldNode[]>();
  gather(operation.selectionSet.selections);
  return [...byName.values()];

  function gather(selections: readonly SelectionNode[]): void {
    for (const selection of selections) {
      if (selection.kind === Kind.INLINE_FRAGMENT) gather(selection.selectionSet.selections);
      if (selection.kind !== Kind.FIELD) continue;
      const name = selection.alias?.value ?? selection.name.value;
      getOrInsertComputed(byName, name, () => []).push(selection);
    }
  }
}

/** Prints the operation with only these root fields and the variables that they use. */
function printRootFields(operation: OperationDefinitionNode, fields: readonly RootField[]): string {
  const selectionSet = { kind: Kind.SELECTION_SET, selections: fields.flat() } as const;
  return print(withUsedVariables({ ...operation, selectionSet }));
}

/** Whether the plan fetches nothing besides the mutations themselves. */
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
