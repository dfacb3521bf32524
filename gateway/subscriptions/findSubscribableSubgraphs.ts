import { type DocumentNode, OperationTypeNode } from 'graphql';
import { argumentOf, compositesOf, rootTypesOf, subgraphNamesOf } from '../planning/supergraphDocument.ts';

/** The names of the subgraphs with subscription fields that no topic feeds. */
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
    (node?.directives ?? []).flatMap((applied) => {
      const name = names.get(argumentOf(applied, 'graph') ?? '');
      return applied.name.value === directive && name !== undefined ? [name] : [];
    });
  for (const field of root?.fields ?? []) {
    if (Object.hasOwn(topics, `${rootName}.${field.name.value}`)) continue;
    const own = graphsIn(field, 'join__field');
    for (const name of own.length > 0 ? own : graphsIn(root, 'join__type')) found.add(name);
  }
  return found;
}
