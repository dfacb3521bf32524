import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { buildSubgraphSchema } from '@apollo/subgraph';
import { execute, type GraphQLSchema, parse, validate } from 'graphql';
import { closeServer } from './closeServer.ts';

type Modules = Parameters<typeof buildSubgraphSchema>[0];

/** A subgraph that can switch to another schema without being unavailable. Like Apollo Server, it rejects operations
 *  that are invalid for its schema. */
export class SwappableSubgraph implements AsyncDisposable {
  readonly #resolvers: unknown;
  readonly #server = createServer(async (request, response) => {
    const { query, variables } = (await json(request)) as {
      query: string;
      variables?: Record<string, unknown>;
    };
    const { status, body } = await this.#answer(query, variables);
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  #sdl: string;
  #schema: GraphQLSchema;
  /** False: errors have no code, like those of Mercurius. */
  hasErrorCodes = true;
  /** The number of requests for its SDL. */
  sdlRequestCount = 0;

  private constructor(sdl: string, resolvers: unknown) {
    this.#resolvers = resolvers;
    this.#sdl = sdl;
    this.#schema = this.#build(sdl);
  }

  static async start(sdl: string, resolvers: unknown): Promise<SwappableSubgraph> {
    const subgraph = new SwappableSubgraph(sdl, resolvers);
    await new Promise<void>((resolve) => subgraph.#server.listen(0, '127.0.0.1', resolve));
    return subgraph;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/graphql`;
  }

  get sdl(): string {
    return this.#sdl;
  }

  deploy(sdl: string): void {
    this.#sdl = sdl;
    this.#schema = this.#build(sdl);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return closeServer(this.#server);
  }

  #build(sdl: string): GraphQLSchema {
    return buildSubgraphSchema({ typeDefs: parse(sdl), resolvers: this.#resolvers } as unknown as Modules);
  }

  async #answer(query: string, variables?: Record<string, unknown>) {
    if (query.includes('_service')) this.sdlRequestCount += 1;
    const document = parse(query);
    const errors = validate(this.#schema, document);
    if (errors.length > 0) {
      const responseErrors = errors.map(({ message, locations }) => ({
        message,
        locations,
        ...(this.hasErrorCodes ? { extensions: { code: 'GRAPHQL_VALIDATION_FAILED' } } : {}),
      }));
      return { status: 400, body: { errors: responseErrors } };
    }
    return {
      status: 200,
      body: await execute({ schema: this.#schema, document, variableValues: variables }),
    };
  }
}
