import {
  baseType,
  type CompositeType,
  isCompositeType,
  isUnionType,
  type ObjectType,
  possibleRuntimeTypes,
  type Schema,
} from '@apollo/federation-internals';
import {
  type DocumentNode,
  type FieldNode,
  type InlineFragmentNode,
  Kind,
  type NamedTypeNode,
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql';
import {
  argumentOf,
  compositesOf,
  contextArgumentsOf,
  joinsOf,
  typesByContext,
} from './supergraphDocument.ts';

/** Divides an operation without named fragments. */
type DivideByType = (operation: DocumentNode) => DocumentNode;

/** A function that divides parts of an operation into a fragment for each object type, where the planner understands
 *  only object types:
 *
 *  - Fields of an interface that lead to a `@fromContext` argument whose context is set by some of its object types and
 *    not by the interface. The planner compares a context only with the type that a field is selected on: it would not
 *    find the context, or take that of an object further above.
 *  - Fragments on a union or another interface, on objects whose interface is an `@interfaceObject` in some subgraph.
 *    The planner assumes that objects of that subgraph never have the type.
 *
 *  `undefined` for a supergraph that needs neither. */
export function createTypeDivider(supergraph: DocumentNode, apiSchema: Schema): DivideByType | undefined {
  const setters = typesByContext(supergraph);
  const interfaceObjects = readInterfaceObjects(supergraph);
  if (setters.size === 0 && interfaceObjects.size === 0) return undefined;
  const contextsByField = readContexts(supergraph);
  return (operation) => {
    const definitions = operation.definitions.map((definition) => {
      if (definition.kind !== Kind.OPERATION_DEFINITION) return definition;
      const root = apiSchema.schemaDefinition.rootType(definition.operation);
      if (root === undefined) return definition;
      const { set } = divide(definition.selectionSet, root, [root]);
      return set === definition.selectionSet ? definition : { ...definition, selectionSet: set };
    });
    const isDivided = definitions.some((definition, index) => definition !== operation.definitions[index]);
    return isDivided ? { ...operation, definitions } : operation;
  };

  /** `objects`: the types that the objects of the selection set can have. `missing`: contexts that some of these objects
   *  do not set themselves. */
  function divide(
    set: SelectionSetNode,
    parent: CompositeType,
    objects: readonly ObjectType[],
  ): { readonly set: SelectionSetNode; readonly missing: ReadonlySet<string> } {
    const missing = new Set<string>();
    const selections = set.selections.flatMap((selection): SelectionNode | readonly SelectionNode[] => {
      if (selection.kind === Kind.FRAGMENT_SPREAD) return selection;
      if (selection.kind === Kind.INLINE_FRAGMENT) return divideFragment(selection);
      const { field, contexts } = divideField(selection, parent, objects);
      const isPartlySet = [...contexts].some(
        (context) => !sets(parent, context) && objects.some((object) => sets(object, context)),
      );
      for (const context of contexts) {
        if (!objects.every((object) => sets(object, context))) missing.add(context);
      }
      return isPartlySet && parent.kind !== 'ObjectType'
        ? objects.map(({ name }) => fragmentOn(name, field))
        : field;
    });
    const isDivided =
      selections.length !== set.selections.length ||
      selections.some((selection, index) => selection !== set.selections[index]);
    return { set: isDivided ? { ...set, selections } : set, missing };

    function divideFragment(fragment: InlineFragmentNode): readonly InlineFragmentNode[] {
      const condition = fragment.typeCondition && apiSchema.type(fragment.typeCondition.name.value);
      const type = condition !== undefined && isCompositeType(condition) ? condition : parent;
      const possible = possibleRuntimeTypes(type);
      const matching = objects.filter((object) => possible.includes(object));
      if (type === parent || type.kind === 'ObjectType' || !interfaceObjects.has(parent.name))
        return divideInner(fragment, type, matching);
      return matching.flatMap((object) =>
        divideInner({ ...fragment, typeCondition: namedType(object.name) }, object, [object]),
      );
    }

    function divideInner(
      fragment: InlineFragmentNode,
      type: CompositeType,
      matching: readonly ObjectType[],
    ): readonly InlineFragmentNode[] {
      const inner = divide(fragment.selectionSet, type, matching);
      for (const context of inner.missing) missing.add(context);
      // The planner rejects fragments that no object matches.
      if (matching.length === 0 || inner.set.selections.length === 0) return [];
      return [inner.set === fragment.selectionSet ? fragment : { ...fragment, selectionSet: inner.set }];
    }
  }

  /** `contexts`: the contexts that the field and the fields below it take from its object or from one above. */
  function divideField(
    field: FieldNode,
    parent: CompositeType,
    objects: readonly ObjectType[],
  ): { readonly field: FieldNode; readonly contexts: ReadonlySet<string> } {
    const contexts = new Set(
      objects.flatMap(({ name }) => contextsByField.get(`${name}.${field.name.value}`) ?? []),
    );
    const definition = isUnionType(parent) ? undefined : parent.field(field.name.value);
    const type = definition?.type && baseType(definition.type);
    if (field.selectionSet === undefined || type === undefined || !isCompositeType(type))
      return { field, contexts };
    const divided = divide(field.selectionSet, type, possibleRuntimeTypes(type));
    const { missing } = divided;
    const set = divided.set.selections.length === 0 ? typenameOnly : divided.set;
    return {
      field: set === field.selectionSet ? field : { ...field, selectionSet: set },
      contexts: contexts.union(missing),
    };
  }

  /** Whether the planner finds the context at a field that is selected on the type. */
  function sets(type: CompositeType, context: string): boolean {
    return (setters.get(context) ?? []).some((name) => {
      if (name === type.name) return true;
      if (!isUnionType(type) && type.interfaces().some((implemented) => implemented.name === name))
        return true;
      const setter = apiSchema.type(name);
      return setter !== undefined && isUnionType(setter) && setter.types().some((member) => member === type);
    });
  }
}

/** The contexts of the `@fromContext` arguments by field, as `Type.field`. */
function readContexts(supergraph: DocumentNode): ReadonlyMap<string, readonly string[]> {
  const contexts = new Map<string, readonly string[]>();
  for (const [typeName, { fields = [] }] of compositesOf(supergraph)) {
    for (const { name, directives = [] } of fields) {
      const used = directives.flatMap(contextArgumentsOf).map(({ context }) => context);
      if (used.length > 0) contexts.set(`${typeName}.${name.value}`, used);
    }
  }
  return contexts;
}

/** Interfaces whose objects some subgraph knows as an `@interfaceObject`. */
function readInterfaceObjects(supergraph: DocumentNode): ReadonlySet<string> {
  const names = new Set<string>();
  for (const [name, type] of compositesOf(supergraph)) {
    if (!joinsOf(type, 'join__type').some((join) => argumentOf(join, 'isInterfaceObject') === 'true'))
      continue;
    // A field of the interface's own interface may have such objects, too.
    for (const implemented of type.interfaces ?? []) names.add(implemented.name.value);
    names.add(name);
  }
  return names;
}

const typenameOnly: SelectionSetNode = {
  kind: Kind.SELECTION_SET,
  selections: [{ kind: Kind.FIELD, name: { kind: Kind.NAME, value: '__typename' } }],
};

function namedType(name: string): NamedTypeNode {
  return { kind: Kind.NAMED_TYPE, name: { kind: Kind.NAME, value: name } };
}

function fragmentOn(typeName: string, field: FieldNode): InlineFragmentNode {
  return {
    kind: Kind.INLINE_FRAGMENT,
    typeCondition: namedType(typeName),
    selectionSet: { kind: Kind.SELECTION_SET, selections: [field] },
  };
}
