import {
  type DocumentNode,
  type GraphQLOutputType,
  type GraphQLSchema,
  isAbstractType,
  isCompositeType,
  isEnumType,
  isListType,
  isNonNullType,
  isObjectType,
  Kind,
  type SelectionSetNode,
} from 'graphql';

/** Whether a client written for this schema can handle the data: nullability and kinds of values match. Clients have
 *  to expect unknown enum values and object types. */
export function matchesClientSchema(schema: GraphQLSchema, document: DocumentNode, data: unknown): boolean {
  const fragments = new Map<string, { readonly condition: string; readonly set: SelectionSetNode }>();
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION)
      fragments.set(definition.name.value, {
        condition: definition.typeCondition.name.value,
        set: definition.selectionSet,
      });
  }
  return document.definitions.every((definition) => {
    if (definition.kind !== Kind.OPERATION_DEFINITION) return true;
    const root = schema.getRootType(definition.operation);
    return root != null && isOf(root, data, definition.selectionSet);
  });

  function applies(condition: string, typeName: string): boolean {
    if (condition === typeName) return true;
    const [wider, type] = [schema.getType(condition), schema.getType(typeName)];
    return isAbstractType(wider) && isObjectType(type) && schema.isSubType(wider, type);
  }

  function isOf(type: GraphQLOutputType, value: unknown, set: SelectionSetNode | undefined): boolean {
    if (isNonNullType(type)) return value !== null && value !== undefined && isOf(type.ofType, value, set);
    if (value === undefined) return false;
    if (value === null) return true;
    if (isListType(type)) return Array.isArray(value) && value.every((one) => isOf(type.ofType, one, set));
    if (isEnumType(type)) return typeof value === 'string';
    if (!isCompositeType(type)) return isLeaf(() => type.serialize(value) === value);
    if (typeof value !== 'object' || set === undefined) return false;
    const { __typename } = value as { readonly __typename?: string };
    const own = isAbstractType(type) ? schema.getType(__typename ?? '') : type;
    if (isAbstractType(type) && isObjectType(own) && !schema.isSubType(type, own)) return true;
    return !isObjectType(own) || hasAll(own.name, value as Readonly<Record<string, unknown>>, set);
  }

  function hasAll(
    typeName: string,
    object: Readonly<Record<string, unknown>>,
    set: SelectionSetNode,
  ): boolean {
    const type = schema.getType(typeName);
    return set.selections.every((selection) => {
      if (selection.kind === Kind.FRAGMENT_SPREAD) {
        const fragment = fragments.get(selection.name.value);
        if (fragment === undefined) return false;
        return !applies(fragment.condition, typeName) || hasAll(typeName, object, fragment.set);
      }
      if (selection.kind === Kind.INLINE_FRAGMENT) {
        const condition = selection.typeCondition?.name.value ?? typeName;
        return !applies(condition, typeName) || hasAll(typeName, object, selection.selectionSet);
      }
      const value = object[(selection.alias ?? selection.name).value];
      if (selection.name.value === '__typename') return typeof value === 'string';
      const field = isObjectType(type) ? type.getFields()[selection.name.value] : undefined;
      return field !== undefined && isOf(field.type, value, selection.selectionSet);
    });
  }
}

function isLeaf(check: () => boolean): boolean {
  try {
    return check();
  } catch {
    return false;
  }
}
