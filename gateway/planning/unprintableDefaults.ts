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
  type TypeNode,
  visit,
} from 'graphql';

/** Leaves out defaults that graphql-js cannot print, be it as SDL or for introspection: lists and objects of custom
 *  scalars. Clients see such an argument or input field as one without a default that may be left out; the subgraph
 *  applies its own. Changes the schema. */
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
  // Without a default, a non-null one would have to be given.
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

/** The supergraph as the planner has to see it, so that it takes what the changed API schema lets through: null
 *  where the default was left out of a non-null input. That null is for the subgraph to refuse. */
export function relaxNonNullInputs(document: DocumentNode): DocumentNode {
  const names = new Set<string>();
  for (const { kind, ...definition } of document.definitions) {
    const mayHold = kind === Kind.SCALAR_TYPE_DEFINITION || kind === Kind.INPUT_OBJECT_TYPE_DEFINITION;
    if (mayHold && 'name' in definition && definition.name !== undefined) names.add(definition.name.value);
  }
  return visit(document, {
    [Kind.INPUT_VALUE_DEFINITION]: (input) => {
      const { type, defaultValue } = input;
      const isLong = defaultValue?.kind === Kind.LIST || defaultValue?.kind === Kind.OBJECT;
      if (!isLong || type.kind !== Kind.NON_NULL_TYPE || !names.has(nameOf(type))) return undefined;
      return { ...input, type: type.type };
    },
  });
}

function nameOf(type: TypeNode): string {
  return type.kind === Kind.NAMED_TYPE ? type.name.value : nameOf(type.type);
}
