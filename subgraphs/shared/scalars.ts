import { GraphQLError, GraphQLScalarType, Kind } from 'graphql';

function readText(name: string, isValid: (text: string) => boolean, example: string) {
  return (value: unknown): string => {
    if (typeof value === 'string' && isValid(value)) return value;
    throw new GraphQLError(`${name} must be text such as "${example}"`);
  };
}

function createTextScalar(
  name: string,
  isValid: (text: string) => boolean,
  example: string,
): GraphQLScalarType {
  const read = readText(name, isValid, example);
  return new GraphQLScalarType({
    name,
    serialize: read,
    parseValue: read,
    parseLiteral: (node) => read(node.kind === Kind.STRING ? node.value : null),
  });
}

const instant = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/;

export const DateTime = createTextScalar(
  'DateTime',
  (text) => instant.test(text) && !Number.isNaN(Date.parse(text)),
  '2026-01-31T12:00:00Z',
);

export const Decimal = createTextScalar('Decimal', (text) => /^-?\d+(\.\d+)?$/.test(text), '19.90');

/** Passes any value through, which is the default of a scalar. */
export const JSONValue = new GraphQLScalarType({ name: 'JSON' });
