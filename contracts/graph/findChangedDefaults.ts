import type { GraphQLSchema } from 'graphql';
import {
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
import type { PlannedFetch } from './flattenPlan.ts';
import type { SupergraphMetadata } from './supergraphMetadata.ts';

/** Finds default values of a subgraph's arguments that differ from those of the graph that a plan was made for, where
 *  the plan passes the field's value on to another subgraph whose `@requires` omits the argument. `schemaOf`: the schema
 *  of a subgraph of the plan's graph. */
export function findChangedDefaults(
  fetches: readonly PlannedFetch[],
  planned: SupergraphMetadata,
  target: FetchTarget,
  schemaOf: (subgraph: string) => GraphQLSchema | undefined,
): readonly FetchProblem[] {
  const problems: FetchProblem[] = [];
  for (const { subgraph, document } of fetches) {
    const schema = schemaOf(subgraph);
    if (subgraph === target.name || schema === undefined) continue;
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
            if (!isServedWithOtherDefault(argument, planned.schema, target)) continue;
            problems.push({
              kind: 'missing input',
              isCertain: true,
              message: `subgraph "${target.name}" has another default value of ${argument.coordinate}, which ${coordinate} of subgraph "${subgraph}" is computed with`,
              coordinates: [argument.coordinate],
            });
          }
        },
      }),
    );
  }
  return problems;
}

interface OmittedArgument {
  readonly typeName: string;
  readonly fieldName: string;
  readonly name: string;
  readonly coordinate: string;
}

function omittedArgumentsOf(
  { selections }: SelectionSetNode,
  typeName: string,
  schema: GraphQLSchema,
): readonly OmittedArgument[] {
  return selections.flatMap((selection): readonly OmittedArgument[] => {
    if (selection.kind === Kind.FRAGMENT_SPREAD) return [];
    if (selection.kind === Kind.INLINE_FRAGMENT) {
      return omittedArgumentsOf(
        selection.selectionSet,
        selection.typeCondition?.name.value ?? typeName,
        schema,
      );
    }
    const fieldName = selection.name.value;
    const field = fieldOf(schema, typeName, fieldName);
    if (field === undefined) return [];
    const omitted = field.args
      .filter(({ name }) => !selection.arguments?.some((given) => given.name.value === name))
      .map(({ name }) => ({ typeName, fieldName, name, coordinate: `${typeName}.${fieldName}(${name}:)` }));
    const below =
      selection.selectionSet === undefined
        ? []
        : omittedArgumentsOf(selection.selectionSet, getNamedType(field.type).name, schema);
    return [...omitted, ...below];
  });
}

function isServedWithOtherDefault(
  { typeName, fieldName, name }: OmittedArgument,
  planned: GraphQLSchema,
  { schema, metadata }: FetchTarget,
): boolean {
  if (metadata.fields.get(`${typeName}.${fieldName}`)?.isExternal === true) return false;
  const [before, after] = [planned, schema].map((version) =>
    fieldOf(version, typeName, fieldName)?.args.find((argument) => argument.name === name),
  );
  return (
    before !== undefined &&
    after !== undefined &&
    JSON.stringify(before.defaultValue) !== JSON.stringify(after.defaultValue)
  );
}

function fieldOf(schema: GraphQLSchema, typeName: string, fieldName: string) {
  const type = schema.getType(typeName);
  return isObjectType(type) || isInterfaceType(type) ? type.getFields()[fieldName] : undefined;
}
