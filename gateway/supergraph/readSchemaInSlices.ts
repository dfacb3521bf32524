import {
  type DocumentNode,
  type GraphQLError,
  type GraphQLNamedType,
  GraphQLSchema,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
  Kind,
  specifiedDirectives,
  TokenKind,
  validateSchema,
} from 'graphql';
import { Parser } from 'graphql/language/parser.js';
import { extendSchemaImpl } from 'graphql/utilities/extendSchema.js';
import type { SlicedTask } from '../time/slicedTask.ts';

// What `parse`, `buildASTSchema` and `validateSchema` of graphql-js do, in slices (decision 0132): with 7,500 types, they
// would block the event loop for 0.13, 0.2 and 0.05 s.

/** Validated in less than a millisecond. */
const typesPerValidation = 50;

/** Parses a schema without locations.
 *  @throws {GraphQLError} for a syntax error. */
export function* parseSchemaInSlices(sdl: string): SlicedTask<DocumentNode> {
  const parser = new Parser(sdl, { noLocation: true });
  const definitions: DocumentNode['definitions'][number][] = [];
  parser.expectToken(TokenKind.SOF);
  do {
    definitions.push(parser.parseDefinition());
    yield;
  } while (!parser.peek(TokenKind.EOF));
  return { kind: Kind.DOCUMENT, definitions };
}

/** Builds the schema of valid SDL. The definition of the schema names the root types unless they have the default names. */
export function* buildSchemaInSlices(document: DocumentNode): SlicedTask<GraphQLSchema> {
  const config = extendSchemaImpl(
    {
      description: undefined,
      types: [],
      directives: [],
      extensions: Object.create(null),
      extensionASTNodes: [],
      assumeValid: false,
    },
    document,
    { assumeValidSDL: true },
  );
  yield;
  const types = new Map(config.types.map((type) => [type.name, type]));
  for (const type of types.values()) {
    resolveReferences(type);
    yield;
  }
  const rootNamed = (name: string) => {
    const type = types.get(name);
    return config.astNode == null && isObjectType(type) ? type : undefined;
  };
  const declared = new Set(config.directives.map(({ name }) => name));
  return new GraphQLSchema({
    ...config,
    query: config.query ?? rootNamed('Query'),
    mutation: config.mutation ?? rootNamed('Mutation'),
    subscription: config.subscription ?? rootNamed('Subscription'),
    directives: [...config.directives, ...specifiedDirectives.filter(({ name }) => !declared.has(name))],
  });
}

/** Validates a schema, which remembers the result as it does with `validateSchema`. Returns the first
 *  error. */
export function* validateSchemaInSlices(schema: GraphQLSchema): SlicedTask<GraphQLError | undefined> {
  const types = Object.entries(schema.getTypeMap());
  for (let start = 0; start < types.length; start += typesPerValidation) {
    const slice = Object.fromEntries(types.slice(start, start + typesPerValidation));
    // The schema with the types of the slice only. Its own list of errors, so that it is validated.
    const part: GraphQLSchema = Object.create(schema, {
      getTypeMap: { value: () => slice },
      __validationErrors: { value: undefined, writable: true },
    });
    const [problem] = validateSchema(part);
    if (problem !== undefined) return problem;
    yield;
  }
  Object.assign(schema, { __validationErrors: [] });
  return undefined;
}

/** Types create their fields when these are read first, which the constructor of the schema would do for all at once. */
function resolveReferences(type: GraphQLNamedType): void {
  if (isObjectType(type) || isInterfaceType(type)) type.getInterfaces();
  if (isObjectType(type) || isInterfaceType(type) || isInputObjectType(type)) type.getFields();
}
