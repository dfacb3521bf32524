import {
  type DocumentNode,
  type GraphQLArgument,
  type GraphQLSchema,
  getNamedType,
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
import type { FieldMetadata, SubgraphMetadata, SupergraphMetadata } from './supergraphMetadata.ts';

/** The coordinates of the fields with `@requires` that a document selects. */
export function requiringFieldsOf(
  document: DocumentNode,
  schema: GraphQLSchema,
  { fields }: Pick<SubgraphMetadata, 'fields'>,
): readonly string[] {
  const found = new Set<string>();
  const types = new TypeInfo(schema);
  visit(
    document,
    visitWithTypeInfo(types, {
      [Kind.FIELD]: ({ name }) => {
        const coordinate = `${types.getParentType()?.name}.${name.value}`;
        if (fields.get(coordinate)?.requires !== undefined) found.add(coordinate);
      },
    }),
  );
  return [...found];
}

/** A field with `@requires` in a subgraph of a plan's graph. */
interface RequiringField {
  readonly subgraph: string;
  readonly schema: GraphQLSchema;
  readonly coordinate: string;
  readonly requires: NonNullable<FieldMetadata['requires']>;
}

/** Finds values of a subgraph that a plan passes on to a field with `@requires` of another subgraph, and that are not what it
 *  expects: with another default value of an omitted argument, or null. */
export function findChangedInputs(
  { subgraph, schema, coordinate, requires }: RequiringField,
  planned: SupergraphMetadata,
  target: FetchTarget,
): readonly FetchProblem[] {
  const user = `${coordinate} of subgraph "${subgraph}" is computed`;
  const [typeName = ''] = coordinate.split('.');
  return inputsOf(requires, typeName, planned.schema).flatMap((input): readonly FetchProblem[] => {
    const name = `${input.typeName}.${input.fieldName}`;
    const served = fieldOf(target.schema.getType(input.typeName), input.fieldName);
    if (served === undefined || target.metadata.fields.get(name)?.isExternal === true) return [];
    const expected = fieldOf(schema.getType(input.typeName), input.fieldName);
    const schemas = { expectedIn: schema, servedIn: target.schema, isTypeNamed: false };
    const mayBeNull =
      expected !== undefined &&
      findTypeDifferences(expected.type, served.type, schemas).some(({ kind }) => kind === 'may be null');
    const changed = input.omitted.filter((argument) => {
      const other = served.args.find((one) => one.name === argument.name);
      return other !== undefined && !haveSameDefault(argument, other);
    });
    return [
      ...(mayBeNull
        ? [
            {
              kind: 'null input',
              isCertain: false,
              message: `subgraph "${target.name}" may return null for ${name}, from which ${user}, and which is not null there`,
              coordinates: [name],
            } as const,
          ]
        : []),
      ...changed.map(({ name: argument }): FetchProblem => {
        const omitted = `${name}(${argument}:)`;
        return {
          kind: 'missing input',
          isCertain: true,
          message: `subgraph "${target.name}" has another default value of ${omitted}, which ${user} with`,
          coordinates: [omitted],
        };
      }),
    ];
  });
}

interface RequiredInput {
  readonly typeName: string;
  readonly fieldName: string;
  /** The arguments that the field set omits, so that their default values count. */
  readonly omitted: readonly GraphQLArgument[];
}

function inputsOf(
  { selections }: SelectionSetNode,
  typeName: string,
  schema: GraphQLSchema,
): readonly RequiredInput[] {
  return selections.flatMap((selection): readonly RequiredInput[] => {
    if (selection.kind === Kind.FRAGMENT_SPREAD) return [];
    if (selection.kind === Kind.INLINE_FRAGMENT) {
      return inputsOf(selection.selectionSet, selection.typeCondition?.name.value ?? typeName, schema);
    }
    const fieldName = selection.name.value;
    const field = fieldOf(schema.getType(typeName), fieldName);
    if (field === undefined) return [];
    const omitted = field.args.filter(
      ({ name }) => !selection.arguments?.some((given) => given.name.value === name),
    );
    const below =
      selection.selectionSet === undefined
        ? []
        : inputsOf(selection.selectionSet, getNamedType(field.type).name, schema);
    return [{ typeName, fieldName, omitted }, ...below];
  });
}
