import {
  type GraphQLSchema,
  getNamedType,
  isInterfaceType,
  isObjectType,
  Kind,
  type SelectionSetNode,
  TypeInfo,
  visit,
  visitWithTypeInfo,
} from 'graphql';
import type { FetchProblem, FetchTarget } from './fetchProblem.ts';
import { fieldOf } from './fieldOf.ts';
import type { PlannedFetch } from './flattenPlan.ts';
import type { SupergraphMetadata } from './supergraphMetadata.ts';

/** Coordinates of the arguments for which a subgraph has another default value than the graph of a plan. */
export function listChangedDefaults(
  planned: GraphQLSchema,
  { schema, metadata }: FetchTarget,
): ReadonlySet<string> {
  const changed = new Set<string>();
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type) && !isInterfaceType(type)) continue;
    for (const field of Object.values(type.getFields())) {
      if (metadata.fields.get(`${type.name}.${field.name}`)?.isExternal === true) continue;
      for (const { name, defaultValue } of field.args) {
        const before = fieldOf(planned.getType(type.name), field.name)?.args.find(
          (argument) => argument.name === name,
        );
        if (before === undefined || JSON.stringify(before.defaultValue) === JSON.stringify(defaultValue))
          continue;
        changed.add(`${type.name}.${field.name}(${name}:)`);
      }
    }
  }
  return changed;
}

/** Finds changed default values of a subgraph where a plan passes the field's value on to another subgraph whose
 *  `@requires` omits the argument. `schemaOf`: the schema of a subgraph of the plan's graph. */
export function findChangedDefaults(
  fetches: readonly PlannedFetch[],
  planned: SupergraphMetadata,
  { target, changed }: { readonly target: string; readonly changed: ReadonlySet<string> },
  schemaOf: (subgraph: string) => GraphQLSchema | undefined,
): readonly FetchProblem[] {
  if (changed.size === 0) return [];
  const problems: FetchProblem[] = [];
  for (const { subgraph, document } of fetches) {
    const schema = schemaOf(subgraph);
    if (subgraph === target || schema === undefined) continue;
    const types = new TypeInfo(schema);
    visit(
      document,
      visitWithTypeInfo(types, {
        [Kind.FIELD]: ({ name }) => {
          const typeName = types.getParentType()?.name ?? '';
          const coordinate = `${typeName}.${name.value}`;
          const requires = planned.subgraphs.get(subgraph)?.fields.get(coordinate)?.requires;
          if (requires === undefined) return;
          for (const argument of omittedArgumentsOf(requires, typeName, planned.schema)) {
            if (!changed.has(argument)) continue;
            problems.push({
              kind: 'missing input',
              isCertain: true,
              message: `subgraph "${target}" has another default value of ${argument}, which ${coordinate} of subgraph "${subgraph}" is computed with`,
              coordinates: [argument],
            });
          }
        },
      }),
    );
  }
  return problems;
}

/** Coordinates of the arguments that a field set omits. */
function omittedArgumentsOf(
  { selections }: SelectionSetNode,
  typeName: string,
  schema: GraphQLSchema,
): readonly string[] {
  return selections.flatMap((selection): readonly string[] => {
    if (selection.kind === Kind.FRAGMENT_SPREAD) return [];
    if (selection.kind === Kind.INLINE_FRAGMENT) {
      return omittedArgumentsOf(
        selection.selectionSet,
        selection.typeCondition?.name.value ?? typeName,
        schema,
      );
    }
    const fieldName = selection.name.value;
    const field = fieldOf(schema.getType(typeName), fieldName);
    if (field === undefined) return [];
    const omitted = field.args
      .filter(({ name }) => !selection.arguments?.some((given) => given.name.value === name))
      .map(({ name }) => `${typeName}.${fieldName}(${name}:)`);
    const below =
      selection.selectionSet === undefined
        ? []
        : omittedArgumentsOf(selection.selectionSet, getNamedType(field.type).name, schema);
    return [...omitted, ...below];
  });
}
