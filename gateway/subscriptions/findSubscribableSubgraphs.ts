import { type DocumentNode, OperationTypeNode } from 'graphql';
import { argumentOf, compositesOf, rootTypesOf, subgraphNamesOf } from '../planning/supergraphDocument.ts';

/** Subgraphs that have subscriptions which no topic feeds. */
export function findSubscribableSubgraphs(
  document: DocumentNode,
  topics: Readonly<Record<string, unknown>>,
): ReadonlySet<string> {
  const found = new Set<string>();
  const rootName = rootTypesOf(document).get(OperationTypeNode.SUBSCRIPTION);
  if (rootName === undefined) return found;
  const root = compositesOf(document).get(rootName);
  const names = subgraphNamesOf(document);
  const graphsIn = (
    node: typeof root | NonNullable<NonNullable<typeof root>['fields']>[number],
    directive: string,
  ) =>
    (node?.directives ?? []).flatMap((one) => {
      const name = names.get(argumentOf(one, 'graph') ?? '');
      return one.name.value === directive && name !== undefined ? [name] : [];
    });
  for (const field of root?.fields ?? []) {
    if (Object.hasOwn(topics, `${rootName}.${field.name.value}`)) continue;
    const own = graphsIn(field, 'join__field');
    for (const name of own.length > 0 ? own : graphsIn(root, 'join__type')) found.add(name);
  }
  return found;
}
