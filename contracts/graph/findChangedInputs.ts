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
import { haveSameDefault } from './findDifferingArguments.ts';
import { findTypeDifferences } from './findOutputDifferences.ts';
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
      for (const argument of field.args) {
        const before = fieldOf(planned.getType(type.name), field.name)?.args.find(
          ({ name }) => name === argument.name,
        );
        if (before === undefined || haveSameDefault(before, argument)) continue;
        changed.add(`${type.name}.${field.name}(${argument.name}:)`);
      }
    }
  }
  return changed;
}

/** The fields that a subgraph may return null for although another subgraph has them as non-null: the name of the other
 *  one, a space and the coordinate. */
export function listNullableInputs(
  { schema, metadata }: FetchTarget,
  others: Iterable<readonly [subgraph: string, schema: GraphQLSchema]>,
): ReadonlySet<string> {
  const nullable = new Set<string>();
  for (const [subgraph, other] of others) {
    for (const type of Object.values(other.getTypeMap())) {
      if (!isObjectType(type) && !isInterfaceType(type)) continue;
      for (const { name, type: expected } of Object.values(type.getFields())) {
        const coordinate = `${type.name}.${name}`;
        const served = fieldOf(schema.getType(type.name), name)?.type;
        if (served === undefined || metadata.fields.get(coordinate)?.isExternal === true) continue;
        const schemas = { expectedIn: other, servedIn: schema, isTypeNamed: false };
        if (findTypeDifferences(expected, served, schemas).some(({ kind }) => kind === 'may be null'))
          nullable.add(`${subgraph} ${coordinate}`);
      }
    }
  }
  return nullable;
}

interface ChangedInputs {
  readonly target: string;
  readonly defaults: ReadonlySet<string>;
  readonly nullable: ReadonlySet<string>;
}

/** Finds values of a subgraph that a plan passes on to another subgraph, and that are not what its `@requires` expects: with
 *  another default value of an omitted argument, or null. `schemaOf`: the schema of a subgraph of the plan's graph. */
export function findChangedInputs(
  fetches: readonly PlannedFetch[],
  planned: SupergraphMetadata,
  { target, defaults, nullable }: ChangedInputs,
  schemaOf: (subgraph: string) => GraphQLSchema | undefined,
): readonly FetchProblem[] {
  if (defaults.size === 0 && nullable.size === 0) return [];
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
          const user = `${coordinate} of subgraph "${subgraph}" is computed`;
          for (const input of inputsOf(requires, typeName, planned.schema)) {
            if (defaults.has(input)) {
              problems.push({
                kind: 'missing input',
                isCertain: true,
                message: `subgraph "${target}" has another default value of ${input}, which ${user} with`,
                coordinates: [input],
              });
            } else if (nullable.has(`${subgraph} ${input}`)) {
              problems.push({
                kind: 'null input',
                isCertain: false,
                message: `subgraph "${target}" may return null for ${input}, from which ${user}, and which is not null there`,
                coordinates: [input],
              });
            }
          }
        },
      }),
    );
  }
  return problems;
}

/** Coordinates of the fields of a field set, and of the arguments that it omits. */
function inputsOf(
  { selections }: SelectionSetNode,
  typeName: string,
  schema: GraphQLSchema,
): readonly string[] {
  return selections.flatMap((selection): readonly string[] => {
    if (selection.kind === Kind.FRAGMENT_SPREAD) return [];
    if (selection.kind === Kind.INLINE_FRAGMENT) {
      return inputsOf(selection.selectionSet, selection.typeCondition?.name.value ?? typeName, schema);
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
        : inputsOf(selection.selectionSet, getNamedType(field.type).name, schema);
    return [`${typeName}.${fieldName}`, ...omitted, ...below];
  });
}
