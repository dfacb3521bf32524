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
import { getOrInsertComputed } from '../sharing/getOrInsertComputed.ts';
import {
  argumentOf,
  compositesOf,
  contextArgumentsOf,
  joinsOf,
  namedTypeOf,
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
 *  It throws for fragments that may apply to objects of an `@interfaceObject` of a field that returns an interface of theirs: the
 *  planner takes it that none applies, and would not fetch their types.
 *
 *  `undefined` for a supergraph that needs none of this. */
export function createTypeDivider(supergraph: DocumentNode, apiSchema: Schema): DivideByType | undefined {
  const setters = typesByContext(supergraph);
  const interfaceObjects = readInterfaceObjects(supergraph);
  if (setters.size === 0 && interfaceObjects.size === 0) return undefined;
  const divider = new TypeDivider(supergraph, apiSchema, setters, interfaceObjects);
  return (operation) => {
    const definitions = operation.definitions.map((definition) => {
      if (definition.kind !== Kind.OPERATION_DEFINITION) return definition;
      const root = apiSchema.schemaDefinition.rootType(definition.operation);
      if (root === undefined) return definition;
      const { set } = divider.divide(definition.selectionSet, root, [root]);
      return set === definition.selectionSet ? definition : { ...definition, selectionSet: set };
    });
    const isDivided = definitions.some((definition, index) => definition !== operation.definitions[index]);
    return isDivided ? { ...operation, definitions } : operation;
  };
}

class TypeDivider {
  readonly #apiSchema: Schema;
  readonly #setters: ReadonlyMap<string, readonly string[]>;
  readonly #interfaceObjects: ReadonlySet<string>;
  readonly #contextsByField: ReadonlyMap<string, readonly string[]>;
  readonly #untypedFields: ReadonlyMap<string, readonly string[]>;

  constructor(
    supergraph: DocumentNode,
    apiSchema: Schema,
    setters: ReadonlyMap<string, readonly string[]>,
    interfaceObjects: ReadonlySet<string>,
  ) {
    this.#apiSchema = apiSchema;
    this.#setters = setters;
    this.#interfaceObjects = interfaceObjects;
    this.#contextsByField = readContexts(supergraph);
    this.#untypedFields = readUntypedFields(supergraph);
  }

  /** `objects`: the types that the objects of the selection set can have. `missing`: contexts that some of these objects
   *  do not set themselves. */
  divide(
    set: SelectionSetNode,
    parent: CompositeType,
    objects: readonly ObjectType[],
  ): { readonly set: SelectionSetNode; readonly missing: ReadonlySet<string> } {
    const missing = new Set<string>();
    const selections = set.selections.flatMap((selection): SelectionNode | readonly SelectionNode[] => {
      if (selection.kind === Kind.FRAGMENT_SPREAD) return selection;
      if (selection.kind === Kind.INLINE_FRAGMENT)
        return this.#divideFragment(selection, parent, objects, missing);
      const { field, contexts } = this.#divideField(selection, parent, objects);
      const isPartlySet = [...contexts].some(
        (context) => !this.#sets(parent, context) && objects.some((object) => this.#sets(object, context)),
      );
      for (const context of contexts) {
        if (!objects.every((object) => this.#sets(object, context))) missing.add(context);
      }
      return isPartlySet && parent.kind !== 'ObjectType'
        ? objects.map(({ name }) => fragmentOn(name, field))
        : field;
    });
    const isDivided =
      selections.length !== set.selections.length ||
      selections.some((selection, index) => selection !== set.selections[index]);
    return { set: isDivided ? { ...set, selections } : set, missing };
  }

  /** Adds to `missing` the contexts that some objects of the fragment do not set. */
  #divideFragment(
    fragment: InlineFragmentNode,
    parent: CompositeType,
    objects: readonly ObjectType[],
    missing: Set<string>,
  ): readonly InlineFragmentNode[] {
    const condition = fragment.typeCondition && this.#apiSchema.type(fragment.typeCondition.name.value);
    const type = condition !== undefined && isCompositeType(condition) ? condition : parent;
    const possible = possibleRuntimeTypes(type);
    const matching = objects.filter((object) => possible.includes(object));
    const isWhole = type === parent || type.kind === 'ObjectType' || !this.#interfaceObjects.has(parent.name);
    const parts = isWhole
      ? [{ part: fragment, type, matching }]
      : matching.map((object) => ({
          part: { ...fragment, typeCondition: namedType(object.name) },
          type: object,
          matching: [object],
        }));
    return parts.flatMap(({ part, type: partType, matching: ofPart }) => {
      const inner = this.divide(part.selectionSet, partType, ofPart);
      for (const context of inner.missing) missing.add(context);
      // The planner rejects fragments that no object matches.
      if (ofPart.length === 0 || inner.set.selections.length === 0) return [];
      return inner.set === part.selectionSet ? part : { ...part, selectionSet: inner.set };
    });
  }

  /** `contexts`: the contexts that the field and the fields below it take from its object or from one above. */
  #divideField(
    field: FieldNode,
    parent: CompositeType,
    objects: readonly ObjectType[],
  ): { readonly field: FieldNode; readonly contexts: ReadonlySet<string> } {
    const contexts = new Set(
      objects.flatMap(({ name }) => this.#contextsByField.get(`${name}.${field.name.value}`) ?? []),
    );
    const definition = isUnionType(parent) ? undefined : parent.field(field.name.value);
    const type = definition?.type && baseType(definition.type);
    if (field.selectionSet === undefined || type === undefined || !isCompositeType(type))
      return { field, contexts };
    const coordinate = `${parent.name}.${field.name.value}`;
    const untyped = this.#untypedFields
      .get(coordinate)
      ?.find((name) => this.#mayApply(field.selectionSet, name));
    if (untyped !== undefined)
      throw new Error(
        `The types of the objects of ${coordinate} cannot be fetched: its subgraph has ${untyped} as an @interfaceObject.`,
      );
    const divided = this.divide(field.selectionSet, type, possibleRuntimeTypes(type));
    const set = divided.set.selections.length === 0 ? typenameOnly : divided.set;
    return {
      field: set === field.selectionSet ? field : { ...field, selectionSet: set },
      contexts: contexts.union(divided.missing),
    };
  }

  /** Whether one of the fragments may apply to objects of the interface. */
  #mayApply(set: SelectionSetNode | undefined, interfaceName: string): boolean {
    const objects = new Set(this.#objectTypesOf(interfaceName));
    return (set?.selections ?? []).some(
      (selection) =>
        selection.kind === Kind.INLINE_FRAGMENT &&
        this.#objectTypesOf(selection.typeCondition?.name.value ?? '').some((type) => objects.has(type)),
    );
  }

  #objectTypesOf(name: string): readonly ObjectType[] {
    const type = this.#apiSchema.type(name);
    return type !== undefined && isCompositeType(type) ? possibleRuntimeTypes(type) : [];
  }

  /** Whether the planner finds the context at a field that is selected on the type. */
  #sets(type: CompositeType, context: string): boolean {
    return (this.#setters.get(context) ?? []).some((name) => {
      if (name === type.name) return true;
      if (!isUnionType(type) && type.interfaces().some((implemented) => implemented.name === name))
        return true;
      const setter = this.#apiSchema.type(name);
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

/** By field, as `Type.field`: the interfaces of which its subgraph knows some of its objects as an `@interfaceObject`, where
 *  the field returns an interface of these. */
function readUntypedFields(supergraph: DocumentNode): ReadonlyMap<string, readonly string[]> {
  const composites = compositesOf(supergraph);
  /** By graph and outer interface. */
  const untyped = new Map<string, string[]>();
  for (const [name, type] of composites) {
    const objectGraphs = joinsOf(type, 'join__type')
      .filter((join) => argumentOf(join, 'isInterfaceObject') === 'true')
      .map((join) => argumentOf(join, 'graph'));
    for (const join of joinsOf(type, 'join__implements')) {
      const graph = argumentOf(join, 'graph');
      if (objectGraphs.includes(graph))
        getOrInsertComputed(untyped, `${graph} ${argumentOf(join, 'interface')}`, () => []).push(name);
    }
  }
  const fields = new Map<string, readonly string[]>();
  if (untyped.size === 0) return fields;
  for (const [typeName, type] of composites) {
    for (const field of type.fields ?? []) {
      const own = joinsOf(field, 'join__field').filter((join) => argumentOf(join, 'external') !== 'true');
      const [first = [], ...others] = (own.length === 0 ? joinsOf(type, 'join__type') : own).map(
        (join) => untyped.get(`${argumentOf(join, 'graph')} ${namedTypeOf(field)}`) ?? [],
      );
      // Another subgraph may have the types.
      const everywhere = first.filter((name) => others.every((names) => names.includes(name)));
      if (everywhere.length > 0) fields.set(`${typeName}.${field.name.value}`, everywhere);
    }
  }
  return fields;
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
