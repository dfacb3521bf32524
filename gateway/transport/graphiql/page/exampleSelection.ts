import {
  type GraphQLField,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
  isLeafType,
  isListType,
  isObjectType,
  isRequiredArgument,
} from 'graphql';

type Field = GraphQLField<unknown, unknown>;

const maxFields = 4;

/** The selection set of a query that a graph answers without arguments: of a list, if it has one. */
export function exampleSelection(schema: GraphQLSchema): string {
  const fields = freeFields(schema.getQueryType()).filter(({ name }) => !name.startsWith('_'));
  const withObjects = fields.filter((field) => leafFieldsOf(field).length > 0);
  const field =
    withObjects.find(({ type }) => isListType(getNullableType(type))) ??
    withObjects[0] ??
    fields.find(({ type }) => isLeafType(getNamedType(type)));
  if (field === undefined) return '{\n  __typename\n}';
  const leaves = leafFieldsOf(field).slice(0, maxFields);
  return leaves.length === 0
    ? `{\n  ${field.name}\n}`
    : `{\n  ${field.name} {\n${leaves.map(({ name }) => `    ${name}\n`).join('')}  }\n}`;
}

function leafFieldsOf({ type }: Field): Field[] {
  return freeFields(getNamedType(type)).filter((field) => isLeafType(getNamedType(field.type)));
}

/** The fields that need no argument. */
function freeFields(type: unknown): Field[] {
  if (!isObjectType(type)) return [];
  return Object.values(type.getFields()).filter(({ args }) => !args.some(isRequiredArgument));
}
