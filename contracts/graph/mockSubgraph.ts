import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  execute,
  type GraphQLAbstractType,
  type GraphQLFieldResolver,
  type GraphQLNamedType,
  type GraphQLOutputType,
  type GraphQLSchema,
  isAbstractType,
  isEnumType,
  isListType,
  isNonNullType,
  isObjectType,
  isScalarType,
  parse,
  validate,
} from 'graphql';

/** A subgraph that answers with mock values. */
interface MockSubgraph {
  readonly url: string;
  /** Resolves when the port is free and no request is running. */
  close(): Promise<void>;
}

/** Serves a subgraph's schema on a free port of the loopback interface. The mock value of a coordinate is always the
 *  same, except for fields of a representation, which are returned as given. `api` is the API schema: only enum
 *  values and types in it are used, because the others are hidden on purpose. */
export async function startMockSubgraph(schema: GraphQLSchema, api: GraphQLSchema): Promise<MockSubgraph> {
  const mock = new MockValues(schema, api);
  const server = createServer((request, response) => {
    handleRequest(request, response, schema, mock.resolve).catch((error: unknown) =>
      response.destroy(error as Error),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function handleRequest(
  request: IncomingMessage,
  response: ServerResponse,
  schema: GraphQLSchema,
  fieldResolver: GraphQLFieldResolver<unknown, unknown>,
): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const { query, variables = {} } = JSON.parse(Buffer.concat(chunks).toString()) as MockRequest;
  const document = parse(query);
  const errors = validate(schema, document);
  const result =
    errors.length > 0
      ? { errors }
      : await execute({
          schema,
          document,
          variableValues: variables,
          fieldResolver,
          typeResolver: typeNameOf,
        });
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(result));
}

interface MockRequest {
  readonly query: string;
  readonly variables?: Readonly<Record<string, unknown>>;
}

function typeNameOf(value: unknown): string {
  return (value as { readonly __typename: string }).__typename;
}

/** Elements of every mock list. */
const listLength = 2;

class MockValues {
  readonly #schema: GraphQLSchema;
  readonly #api: GraphQLSchema;

  constructor(schema: GraphQLSchema, api: GraphQLSchema) {
    this.#schema = schema;
    this.#api = api;
    // The subgraph library resolves `_entities` only for types with resolvers, and the schema has none.
    const entities = schema.getQueryType()?.getFields()._entities;
    if (entities !== undefined) {
      entities.resolve = (_source, { representations }: { representations: readonly Representation[] }) =>
        representations.map((representation) => this.#resolveEntity(representation));
    }
  }

  readonly resolve: GraphQLFieldResolver<unknown, unknown> = (source, _arguments, _context, info) => {
    const given = (source as Readonly<Record<string, unknown>> | undefined)?.[info.fieldName];
    return given === undefined
      ? this.#mockValue(info.returnType, `${info.parentType.name}.${info.fieldName}`)
      : given;
  };

  #resolveEntity(representation: Representation): Representation {
    const type = this.#schema.getType(representation.__typename);
    return isAbstractType(type)
      ? { ...representation, __typename: this.#choosePossibleType(type) ?? type.name }
      : representation;
  }

  /** Null for an interface that no type implements. */
  #mockValue(type: GraphQLOutputType, coordinate: string): unknown {
    if (isNonNullType(type)) return this.#mockValue(type.ofType, coordinate);
    if (isListType(type)) {
      const element = this.#mockValue(type.ofType, coordinate);
      return element === null ? [] : Array.from({ length: listLength }, () => element);
    }
    if (isScalarType(type)) return scalarValue(type.name, coordinate);
    if (isEnumType(type)) {
      const values = type.getValues().map(({ name }) => name);
      const known = this.#api.getType(type.name);
      return values.find((name) => isEnumType(known) && known.getValue(name) != null) ?? values[0];
    }
    if (!isAbstractType(type)) return { __typename: type.name };
    const possible = this.#choosePossibleType(type);
    return possible === undefined ? null : { __typename: possible };
  }

  #choosePossibleType(type: GraphQLAbstractType): string | undefined {
    const possible: readonly GraphQLNamedType[] = this.#schema.getPossibleTypes(type);
    const visible = possible.find(({ name }) => isObjectType(this.#api.getType(name))) ?? possible[0];
    return visible?.name;
  }
}

interface Representation {
  readonly __typename: string;
}

function scalarValue(typeName: string, coordinate: string): unknown {
  const number = createHash('sha256').update(coordinate).digest().readUInt16BE(0) % 1_000;
  switch (typeName) {
    case 'Int':
      return number;
    case 'Float':
      return number + 0.5;
    case 'Boolean':
      return number % 2 === 0;
    default:
      return coordinate;
  }
}
