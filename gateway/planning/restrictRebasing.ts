import {
  baseType,
  type CompositeType,
  federationMetadata,
  isCompositeType,
  isInterfaceType,
  isUnionType,
  SelectionSet,
} from '@apollo/federation-internals';

/** Runs a synchronous task in which the package moves the inputs of a `@requires` to another subgraph only if that subgraph
 *  resolves them. Its own condition is that the subgraph declares them: it would fetch an `@external` field from a
 *  subgraph that does not resolve it, and a field with a `@requires` without the inputs of that. */
export function restrictRebasing<Result>(task: () => Result): Result {
  SelectionSet.prototype.canRebaseOn = canRebaseResolvedOn;
  try {
    return task();
  } finally {
    SelectionSet.prototype.canRebaseOn = canRebaseOn;
  }
}

const { canRebaseOn } = SelectionSet.prototype;

function canRebaseResolvedOn(this: SelectionSet, type: CompositeType): boolean {
  return canRebaseOn.call(this, type) && isResolvedOn(this, type);
}

/** Whether the subgraph of the type resolves all fields of the selection set. */
function isResolvedOn(set: SelectionSet, type: CompositeType): boolean {
  const schema = type.schema();
  const metadata = federationMetadata(schema);
  if (metadata === undefined) return true;
  if (isInterfaceType(type) && !type.possibleRuntimeTypes().every((object) => isResolvedOn(set, object)))
    return false;
  return set.selections().every((selection) => {
    if (selection.kind === 'FragmentSelection') {
      const condition = selection.element.typeCondition;
      const inner = condition === undefined ? type : schema.type(condition.name);
      return inner !== undefined && isCompositeType(inner) && isResolvedOn(selection.selectionSet, inner);
    }
    const field = isUnionType(type) ? undefined : type.field(selection.element.name);
    if (field === undefined) return true;
    if (metadata.isFieldExternal(field) || field.hasAppliedDirective(metadata.requiresDirective()))
      return false;
    const inner = baseType(field.type as NonNullable<typeof field.type>);
    return (
      selection.selectionSet === undefined ||
      !isCompositeType(inner) ||
      isResolvedOn(selection.selectionSet, inner)
    );
  });
}
