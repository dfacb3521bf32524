import {
  astFromValue,
  type ConstValueNode,
  type DocumentNode,
  type GraphQLArgument,
  type GraphQLInputField,
  type GraphQLSchema,
  type InputValueDefinitionNode,
  isInputObjectType,
  isInterfaceType,
  isNonNullType,
  isObjectType,
  Kind,
  visit,
} from 'graphql';
import type { SlicedTask } from '../time/slicedTask.ts';
import { namedTypeOf } from './supergraphDocument.ts';

/** Removes from a schema the defaults that graphql-js cannot print as SDL or in introspection: lists and objects of custom
 *  scalars. Clients see such an argument or input field as optional without a default; the subgraph applies its default.
 *  Changes the given schema, as a sliced task. */
export function* removeUnprintableDefaults(schema: GraphQLSchema): SlicedTask {
  for (const directive of schema.getDirectives()) directive.args.forEach(removeDefaultIfUnprintable);
  for (const type of Object.values(schema.getTypeMap())) {
    yield;
    if (isInputObjectType(type)) Object.values(type.getFields()).forEach(removeDefaultIfUnprintable);
    if (!isObjectType(type) && !isInterfaceType(type)) continue;
    for (const { args } of Object.values(type.getFields())) args.forEach(removeDefaultIfUnprintable);
  }
}

function removeDefaultIfUnprintable(input: GraphQLArgument | GraphQLInputField): void {
  if (isPrintable(input)) return;
  input.defaultValue = undefined;
  // A non-null input without a default would be required.
  if (isNonNullType(input.type)) input.type = input.type.ofType;
}

function isPrintable({ defaultValue, type }: GraphQLArgument | GraphQLInputField): boolean {
  if (defaultValue === undefined) return true;
  try {
    astFromValue(defaultValue, type);
    return true;
  } catch {
    return false;
  }
}

/** Makes the non-null inputs nullable whose default `removeUnprintableDefaults` removes, so that the planner accepts every
 *  operation that the API schema accepts. The subgraph refuses an explicit null. `sdl`: the text of the document. */
export function relaxNonNullInputs(document: DocumentNode, sdl: string): DocumentNode {
  // Decides without visiting the document, for supergraphs without a default that is a list or an object.
  if (!/=\s*[[{]/.test(sdl)) return document;
  const names = new Set<string>();
  for (const { kind, ...definition } of document.definitions) {
    const acceptsObjects = kind === Kind.SCALAR_TYPE_DEFINITION || kind === Kind.INPUT_OBJECT_TYPE_DEFINITION;
    if (acceptsObjects && 'name' in definition && definition.name !== undefined)
      names.add(definition.name.value);
  }
  return visit(document, {
    [Kind.INPUT_VALUE_DEFINITION]: (input) => {
      const { type, defaultValue } = input;
      const isListOrObject = defaultValue?.kind === Kind.LIST || defaultValue?.kind === Kind.OBJECT;
      if (!isListOrObject || type.kind !== Kind.NON_NULL_TYPE || !names.has(namedTypeOf(input)))
        return undefined;
      return { ...input, type: type.type };
    },
  });
}

/** The coordinate of an input field whose default leads back to the field, as in `input I { d: I = {} }`; `undefined` if
 *  there is none. For each object in a default, graphql-js reads the defaults of the object's type: here, without end. */
export function findCircularDefault({ definitions }: DocumentNode): string | undefined {
  const fieldsByType = new Map<string, readonly InputValueDefinitionNode[]>();
  for (const definition of definitions) {
    if (definition.kind === Kind.INPUT_OBJECT_TYPE_DEFINITION)
      fieldsByType.set(definition.name.value, definition.fields ?? []);
  }
  const open = new Set<string>();
  const searched = new Set<string>();
  const findIn = (type: string): string | undefined => {
    if (searched.has(type)) return undefined;
    open.add(type);
    for (const field of fieldsByType.get(type) ?? []) {
      for (const objectType of objectTypesIn(field.defaultValue, field, fieldsByType)) {
        const found = open.has(objectType) ? `${type}.${field.name.value}` : findIn(objectType);
        if (found !== undefined) return found;
      }
    }
    open.delete(type);
    searched.add(type);
    return undefined;
  };
  for (const type of fieldsByType.keys()) {
    const found = findIn(type);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The types of all objects in a value of an input field. */
function* objectTypesIn(
  value: ConstValueNode | undefined,
  field: InputValueDefinitionNode,
  fieldsByType: ReadonlyMap<string, readonly InputValueDefinitionNode[]>,
): Generator<string> {
  if (value?.kind === Kind.LIST) {
    for (const element of value.values) yield* objectTypesIn(element, field, fieldsByType);
  }
  if (value?.kind !== Kind.OBJECT) return;
  const type = namedTypeOf(field);
  yield type;
  for (const { name, value: inner } of value.fields) {
    const innerField = fieldsByType.get(type)?.find((candidate) => candidate.name.value === name.value);
    if (innerField !== undefined) yield* objectTypesIn(inner, innerField, fieldsByType);
  }
}
