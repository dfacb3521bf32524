import { Kind, parse, print } from 'graphql';
import type {
  DeferNode,
  FetchNode,
  PlanNode,
  QueryPlan,
  RequiresSelection,
  SubscriptionNode,
} from './queryPlan.ts';

/** Prints a plan in the text form of Apollo's query plans, for `tributary plan`, logs and fixtures. An entity fetch shows
 *  `requires =>` and the selection of the entity instead of the `_entities` field. */
export function printPlan(plan: QueryPlan): string {
  return plan.node === undefined
    ? 'QueryPlan {}'
    : lines('QueryPlan {', indent(`${printNode(plan.node)},`), '}');
}

function printNode(node: PlanNode | SubscriptionNode): string {
  switch (node.kind) {
    case 'Sequence':
    case 'Parallel':
      return lines(`${node.kind} {`, ...node.nodes.map((child) => indent(`${printNode(child)},`)), '}');
    case 'Flatten':
      return lines(`Flatten(path: "${node.path.join('.')}") {`, indent(`${printNode(node.node)},`), '}');
    case 'Fetch':
      return printFetch(node);
    case 'Defer':
      return printDefer(node);
    case 'Subscription':
      return lines(
        'Subscription {',
        indent(lines('Primary: {', indent(printNode(node.primary)), '},')),
        ...(node.rest === undefined ? [] : [indent(lines('Rest: {', indent(printNode(node.rest)), '}'))]),
        '}',
      );
  }
}

function printFetch(node: FetchNode): string {
  const id = node.id === undefined ? '' : `, id: ${node.id}`;
  return lines(
    `Fetch(service: "${node.serviceName}"${id}) {`,
    ...(node.requires === undefined ? [] : [indent(`${printRequires(node.requires)} =>`)]),
    indent(printOperation(node.operation)),
    '}',
  );
}

function printDefer({ primary, deferred }: DeferNode): string {
  const blocks = deferred.map((block) => {
    const depends = block.depends.map(({ id, deferLabel }) => (deferLabel ? `${id}:"${deferLabel}"` : id));
    const label = block.label === undefined ? '' : `, label: "${block.label}"`;
    return lines(
      `Deferred(depends: [${depends.join(', ')}], path: "${block.queryPath.join('/')}"${label}) {`,
      ...(block.subselection === undefined ? [] : [indent(`${printOperation(block.subselection)}:`)]),
      ...(block.node === undefined ? [] : [indent(printNode(block.node))]),
      '},',
    );
  });
  return lines(
    'Defer {',
    indent(
      lines(
        'Primary {',
        indent(primary.subselection === undefined ? ':' : `${printOperation(primary.subselection)}:`),
        ...(primary.node === undefined ? [] : [indent(printNode(primary.node))]),
        '}, [',
        ...blocks.map(indent),
        ']',
      ),
    ),
    '}',
  );
}

/** Prints the selection of a subgraph operation; for an entity fetch, the selection of the entity. */
function printOperation(operation: string): string {
  const document = parse(operation, { noLocation: true });
  return document.definitions
    .map((definition) => {
      if (definition.kind !== Kind.OPERATION_DEFINITION) return print(definition);
      const first = definition.selectionSet.selections[0];
      const isEntityFetch = first?.kind === Kind.FIELD && first.name.value === '_entities';
      return print(isEntityFetch && first.selectionSet ? first.selectionSet : definition.selectionSet);
    })
    .join('\n\n');
}

function printRequires(selections: readonly RequiresSelection[]): string {
  return lines('{', ...selections.map((selection) => indent(printRequired(selection))), '}');
}

function printRequired(selection: RequiresSelection): string {
  if (selection.kind === 'InlineFragment') {
    const condition = selection.typeCondition === undefined ? '' : ` on ${selection.typeCondition}`;
    return `...${condition} ${printRequires(selection.selections)}`;
  }
  const name = selection.alias === undefined ? selection.name : `${selection.alias}: ${selection.name}`;
  return selection.selections?.length ? `${name} ${printRequires(selection.selections)}` : name;
}

function lines(...parts: readonly string[]): string {
  return parts.join('\n');
}

function indent(text: string): string {
  return text
    .split('\n')
    .map((line) => (line === '' ? line : `  ${line}`))
    .join('\n');
}
