import { type DocumentNode, Kind, type SelectionNode, type SelectionSetNode } from 'graphql';
import { argumentOf, compositesOf, joinsOf, namedTypeOf, rootTypesOf } from './supergraphDocument.ts';

/** Returns a function that moves fields with a `@requires` of an `@interfaceObject` from fragments on its types to the
 *  interface, in an operation without named fragments. Such fields of several types fail in the planner ("Cannot add
 *  fragment of condition …"): it reads the inputs of one type from objects of another. The subgraph computes the moved
 *  fields for objects of all types, and responses have them only where the client selected them. */
export function createFieldLifter(supergraph: DocumentNode): (operation: DocumentNode) => DocumentNode {
  const types = compositesOf(supergraph);
  const roots = rootTypesOf(supergraph);
  return (operation) => ({
    ...operation,
    definitions: operation.definitions.map((definition) =>
      definition.kind === Kind.OPERATION_DEFINITION
        ? {
            ...definition,
            selectionSet: lift(definition.selectionSet, roots.get(definition.operation) ?? ''),
          }
        : definition,
    ),
  });

  function lift(set: SelectionSetNode, parent: string): SelectionSetNode {
    return { ...set, selections: set.selections.flatMap((selection) => liftSelection(selection, parent)) };
  }

  function liftSelection(selection: SelectionNode, parent: string): readonly SelectionNode[] {
    if (selection.kind === Kind.FRAGMENT_SPREAD || selection.selectionSet === undefined) return [selection];
    if (selection.kind === Kind.FIELD) {
      const field = types.get(parent)?.fields?.find(({ name }) => name.value === selection.name.value);
      if (field === undefined) return [selection];
      return [{ ...selection, selectionSet: lift(selection.selectionSet, namedTypeOf(field)) }];
    }
    const inner = lift(selection.selectionSet, selection.typeCondition?.name.value ?? parent).selections;
    const isLifted = (node: SelectionNode): boolean =>
      node.kind === Kind.FIELD && isComputed(parent, node.name.value);
    const others = inner.filter((node) => !isLifted(node));
    if (others.length === 0) return inner;
    return [
      ...inner.filter(isLifted),
      { ...selection, selectionSet: { ...selection.selectionSet, selections: others } },
    ];
  }

  function isComputed(typeName: string, fieldName: string): boolean {
    const type = types.get(typeName);
    const field = type?.fields?.find(({ name }) => name.value === fieldName);
    if (type === undefined || field === undefined) return false;
    const graphs = joinsOf(type, 'join__type')
      .filter((join) => argumentOf(join, 'isInterfaceObject') === 'true')
      .map((join) => argumentOf(join, 'graph'));
    return joinsOf(field, 'join__field').some(
      (join) => argumentOf(join, 'requires') !== undefined && graphs.includes(argumentOf(join, 'graph')),
    );
  }
}
