import {
  type DocumentNode,
  type FragmentDefinitionNode,
  type GraphQLCompositeType,
  type GraphQLLeafType,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLSchema,
  getNamedType,
  isAbstractType,
  isEnumType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
  Kind,
  type SelectionNode,
} from 'graphql';

export type Path = readonly (string | number)[];

interface CheckedData {
  /** The first violation of the schema or the operation, with its path. */
  readonly problem: string | undefined;
  /** Paths of null values. */
  readonly nulls: readonly Path[];
}

interface Field {
  readonly type: GraphQLOutputType;
  readonly selections: readonly SelectionNode[];
}

/** Checks that data has exactly the selected fields with values of their types. `mayLack`: fields of failed fragments may
 *  be missing. */
export function checkData(
  schema: GraphQLSchema,
  document: DocumentNode,
  data: unknown,
  mayLack: boolean,
): CheckedData {
  const fragments = new Map<string, FragmentDefinitionNode>();
  let root: { type: GraphQLObjectType; selections: readonly SelectionNode[] } | undefined;
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
    if (definition.kind !== Kind.OPERATION_DEFINITION) continue;
    const type = schema.getRootType(definition.operation) as GraphQLObjectType;
    root = { type, selections: definition.selectionSet.selections };
  }
  const nulls: Path[] = [];
  const problem =
    data === null || root === undefined ? undefined : checkObject(root.type, root.selections, data, []);
  return { problem, nulls: data === null ? [[]] : nulls };

  function checkObject(
    declared: GraphQLCompositeType,
    selections: readonly SelectionNode[],
    value: unknown,
    path: Path,
  ): string | undefined {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return at(path, 'no object');
    const object = value as Record<string, unknown>;
    const named = isAbstractType(declared) ? schema.getType(String(object.__typename)) : declared;
    if (!isObjectType(named) || (isAbstractType(declared) && !schema.isSubType(declared, named))) {
      return at(path, `the type ${String(object.__typename)}`);
    }
    const fields = new Map<string, Field>();
    collect(named, selections, fields);
    const strange = Object.keys(object).find((key) => !fields.has(key));
    if (strange !== undefined) return at([...path, strange], 'not selected');
    for (const [name, field] of fields) {
      const place = [...path, name];
      if (!Object.hasOwn(object, name)) {
        if (mayLack) continue;
        return at(place, 'missing');
      }
      const problem = checkValue(field, field.type, object[name], place);
      if (problem !== undefined) return problem;
    }
    return undefined;
  }

  function checkValue(field: Field, type: GraphQLOutputType, value: unknown, path: Path): string | undefined {
    if (isNonNullType(type)) {
      return value === null
        ? at(path, `null for ${String(type)}`)
        : checkValue(field, type.ofType, value, path);
    }
    if (value === null) {
      nulls.push(path);
      return undefined;
    }
    if (isListType(type)) {
      if (!Array.isArray(value)) return at(path, 'no list');
      for (const [index, element] of value.entries()) {
        const problem = checkValue(field, type.ofType, element, [...path, index]);
        if (problem !== undefined) return problem;
      }
      return undefined;
    }
    if (isLeafType(type)) {
      return isOfType(type, value) ? undefined : at(path, `${JSON.stringify(value)} for ${type.name}`);
    }
    return checkObject(type, field.selections, value, path);
  }

  function collect(
    type: GraphQLObjectType,
    selections: readonly SelectionNode[],
    into: Map<string, Field>,
  ): void {
    for (const selection of selections) {
      if (selection.kind === Kind.FIELD) {
        const name = selection.alias?.value ?? selection.name.value;
        const fieldType =
          selection.name.value === '__typename'
            ? (schema.getType('String') as GraphQLOutputType)
            : (type.getFields()[selection.name.value]?.type as GraphQLOutputType);
        const inner = selection.selectionSet?.selections ?? [];
        into.set(name, { type: fieldType, selections: [...(into.get(name)?.selections ?? []), ...inner] });
        continue;
      }
      const fragment =
        selection.kind === Kind.FRAGMENT_SPREAD
          ? (fragments.get(selection.name.value) as FragmentDefinitionNode)
          : selection;
      const condition = fragment.typeCondition?.name.value;
      const other = condition === undefined ? type : schema.getType(condition);
      if (other === type || (isAbstractType(other) && schema.isSubType(other, type))) {
        collect(type, fragment.selectionSet.selections, into);
      }
    }
  }
}

function isOfType(type: GraphQLLeafType, value: unknown): boolean {
  if (isEnumType(type)) return typeof value === 'string' && type.getValue(value) !== undefined;
  switch (getNamedType(type).name) {
    case 'Int':
      return typeof value === 'number' && (value | 0) === value;
    case 'Float':
      return typeof value === 'number' && Number.isFinite(value);
    case 'String':
    case 'ID':
      return typeof value === 'string';
    case 'Boolean':
      return typeof value === 'boolean';
    default:
      return true;
  }
}

function at(path: Path, problem: string): string {
  return `${path.join('.')}: ${problem}`;
}
