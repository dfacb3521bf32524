import {
  astFromValue,
  type DocumentNode,
  type GraphQLArgument,
  type GraphQLInputField,
  type GraphQLSchema,
  isInputObjectType,
  isInterfaceType,
  isNonNullType,
  isObjectType,
  Kind,
  visit,
} from 'graphql';
import { namedTypeOf } from './supergraphDocument.ts';

/** Removes from a schema the defaults that graphql-js cannot print as SDL or in introspection: lists and objects of custom
 *  scalars. Clients see such an argument or input field as optional without a default; the subgraph applies its default.
 *  Changes the given schema. */
export function removeUnprintableDefaults(schema: GraphQLSchema): void {
  for (const directive of schema.getDirectives()) directive.args.forEach(removeDefaultIfUnprintable);
  for (const type of Object.values(schema.getTypeMap())) {
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
